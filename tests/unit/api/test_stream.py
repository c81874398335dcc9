"""Frames of the multiplexed stream."""

from __future__ import annotations

from naru.api.stream import FrameReader, frame


def test_a_frame_is_a_header_and_its_data() -> None:
    assert frame(2, b"abc") == b"\x02\0\0\0\0\0\0\x03abc"


def test_parts_of_frames_are_kept_until_they_are_whole() -> None:
    reader = FrameReader()
    data = frame(1, b"one") + frame(2, b"") + frame(1, b"two")
    found = [piece for byte in data for piece in reader.feed(bytes([byte]))]
    assert found == [(1, b"one"), (2, b""), (1, b"two")]
