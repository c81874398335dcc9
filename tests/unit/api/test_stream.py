"""Frames of the multiplexed stream."""

from __future__ import annotations

from naru.api.stream import frame


def test_a_frame_is_a_header_and_its_data() -> None:
    assert frame(2, b"abc") == b"\x02\0\0\0\0\0\0\x03abc"
