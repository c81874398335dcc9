"""Keys that leave a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.engine.live.detach_keys import DEFAULT_KEYS, DetachFilter, parse_keys
from naru.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (DEFAULT_KEYS, b"\x10\x11"),
        ("a,b", b"ab"),
        ("ctrl-@", b"\x00"),
        ("ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", b"\x1b\x1c\x1d\x1e\x1f"),
    ],
)
def test_keys_are_read(text: str, keys: bytes) -> None:
    assert parse_keys(text) == keys


@pytest.mark.parametrize("text", ["ctrl-", "ctrl-A", "ctrl-1", "ab", "", "é"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="Invalid detach keys"):
        parse_keys(text)


def test_a_false_start_is_passed_on() -> None:
    keys = DetachFilter(b"\x10\x11")
    assert keys.feed(b"a\x10") == (b"a", False)
    assert keys.feed(b"b") == (b"\x10b", False)


def test_the_sequence_may_come_in_pieces() -> None:
    keys = DetachFilter(b"\x10\x11")
    assert keys.feed(b"x\x10") == (b"x", False)
    assert keys.feed(b"\x11rest") == (b"", True)


@given(st.lists(st.binary(max_size=5), max_size=20))
def test_nothing_typed_is_lost_without_the_sequence(pieces: list[bytes]) -> None:
    keys = DetachFilter(b"\x10\x11")
    typed = b"".join(piece.replace(b"\x11", b"") for piece in pieces)
    passed = b""
    for piece in pieces:
        out, detached = keys.feed(piece.replace(b"\x11", b""))
        assert not detached
        passed += out
    held_back = len(typed) - len(passed)
    assert held_back in (0, 1)
    assert typed.startswith(passed)
