"""What one message of a driver holds."""

from __future__ import annotations

import pytest

from naru.runtime.log_sink import MESSAGE_BYTES, message_pieces


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        (b"", [0]),
        (b"\n", [0]),
        (b"line\n", [4]),
        (b"x" * MESSAGE_BYTES, [MESSAGE_BYTES]),
        (b"x" * MESSAGE_BYTES + b"y\n", [MESSAGE_BYTES, 1]),
    ],
)
def test_lines_are_cut_to_messages(data: bytes, sizes: list[int]) -> None:
    pieces = list(message_pieces(data))
    assert [len(piece) for piece, _ in pieces] == sizes
    assert b"".join(piece for piece, _ in pieces) == data.removesuffix(b"\n")
    assert [is_last for _, is_last in pieces] == [*([False] * (len(sizes) - 1)), True]
