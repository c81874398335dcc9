"""Names for containers that got none."""

from __future__ import annotations

import pytest

from naru.engine.containers.names import generate_name
from naru.errors import FaultError
from naru.ids import is_valid_name


def test_generated_names_are_valid_names() -> None:
    names = {generate_name(lambda _: True) for _ in range(200)}
    assert all(is_valid_name(name) and "_" in name for name in names)
    assert len(names) > 100


def test_taken_names_are_passed_over() -> None:
    taken: set[str] = set()
    for _ in range(300):
        name = generate_name(lambda candidate: candidate not in taken)
        assert name not in taken
        taken.add(name)


def test_it_gives_up_when_nothing_is_free() -> None:
    with pytest.raises(FaultError):
        generate_name(lambda _: False)
