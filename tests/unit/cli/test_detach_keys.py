"""Keys that leave a container running."""

from __future__ import annotations

import pytest

from naru.cli.detach_keys import DEFAULT, KeyWatch, parse
from naru.errors import InvalidInputError


def test_keys_have_names() -> None:
    assert parse(DEFAULT) == b"\x10\x11"
    assert parse("ctrl-@,a,ctrl-\\,ctrl-_,Z") == b"\x00a\x1c\x1fZ"


@pytest.mark.parametrize("text", ["", "ctrl-", "ctrl-aa", "ab", "a,,b", "ctrl-P", "é"])
def test_other_names_are_no_keys(text: str) -> None:
    with pytest.raises(InvalidInputError, match="invalid detach keys"):
        parse(text)


@pytest.mark.parametrize(
    ("pieces", "sent", "is_found"),
    [
        ([b"ab\x10\x11cd"], b"ab", True),
        ([b"\x10", b"\x11"], b"", True),
        ([b"\x10", b"x"], b"\x10x", False),
        ([b"\x10\x10\x11"], b"\x10", True),
        ([b"\x11\x10"], b"\x11", False),
    ],
)
def test_keys_are_found_in_any_pieces(pieces: list[bytes], sent: bytes, is_found: bool) -> None:
    watch = KeyWatch(parse(DEFAULT))
    results = [watch.feed(piece) for piece in pieces]
    assert b"".join(data for data, _ in results) == sent
    assert results[-1][1] is is_found


def test_what_is_held_back_comes_out_at_the_end() -> None:
    watch = KeyWatch(b"ab")
    assert watch.feed(b"xa") == (b"x", False)
    assert watch.rest() == b"a"
    assert watch.rest() == b""


def test_without_keys_everything_passes() -> None:
    assert KeyWatch(b"").feed(b"\x10\x11") == (b"\x10\x11", False)
