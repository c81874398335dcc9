"""Names of volumes."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.volumes.names import check_name, is_name


@pytest.mark.parametrize("name", ["ab", "A0", "0-._x", "a" * 255])
def test_names_that_docker_takes_are_taken(name: str) -> None:
    assert is_name(name)
    check_name(name)


@pytest.mark.parametrize("name", ["", "a", ".ab", "-ab", "a/b", "a b", "ab\n", "a\0b", "é1"])
def test_what_could_be_a_path_is_no_name(name: str) -> None:
    assert not is_name(name)
    with pytest.raises(InvalidInputError):
        check_name(name)


def test_a_name_fits_a_directory() -> None:
    with pytest.raises(InvalidInputError, match="longer than 255"):
        check_name("a" * 256)
