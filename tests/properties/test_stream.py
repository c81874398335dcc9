"""Laws of the multiplexed stream."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.api.stream import FrameReader, frame

frames = st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=300)), max_size=20)


@given(frames, st.lists(st.integers(1, 400), min_size=1, max_size=50))
def test_frames_survive_any_chunking(pieces: list[tuple[int, bytes]], sizes: list[int]) -> None:
    data = b"".join(frame(stream, content) for stream, content in pieces)
    reader, found, position, turn = FrameReader(), [], 0, 0
    while position < len(data):
        size = sizes[turn % len(sizes)]
        found += list(reader.feed(data[position : position + size]))
        position, turn = position + size, turn + 1
    assert found == pieces


@given(st.binary(max_size=200))
def test_garbage_never_breaks_the_reader(data: bytes) -> None:
    for _, content in FrameReader().feed(data):
        assert len(content) <= len(data)
