"""Which versions are spoken."""

from __future__ import annotations

import pytest

from naru.api.version import dotted, parse_version
from naru.errors import InvalidInputError

TOO_OLD = (
    "client version {} is too old. Minimum supported API version is 1.24, please upgrade your "
    "client to a newer version"
)
TOO_NEW = "client version {} is too new. Maximum supported API version is 1.50"


@pytest.mark.parametrize("text", ["1.24", "1.41", "1.50"])
def test_versions_in_the_window_are_spoken(text: str) -> None:
    assert dotted(parse_version(text)) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [("1.99", TOO_NEW), ("2", TOO_NEW), ("1.50.1", TOO_NEW), ("1.10", TOO_OLD), ("1.4", TOO_OLD)],
)
def test_others_are_refused_in_dockers_words(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_version(text)
    assert caught.value.message == message.format(text)


@pytest.mark.parametrize("text", ["", ".", "1.", "v1.41", "1.x", "1..2", "\u0661.\u0664\u0661"])
def test_what_is_no_version_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse_version(text)
