"""Frames and detach keys do not depend on how the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.api.stream import frame
from naru.cli.detach_keys import KeyWatch
from naru.client.hijack import Demultiplexer

_FRAMES = st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=20)))


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces, at = [], 0
    for size in [*sizes, len(data)]:
        pieces.append(data[at : at + size])
        at += size
    return pieces


@given(_FRAMES, st.lists(st.integers(1, 9)))
def test_frames_survive_any_cutting(frames: list[tuple[int, bytes]], sizes: list[int]) -> None:
    data = b"".join(frame(kind, text) for kind, text in frames)
    demultiplexer = Demultiplexer()
    found: dict[int, bytes] = {1: b"", 2: b""}
    for piece in cut(data, sizes):
        for kind, text in demultiplexer.feed(piece):
            found[kind] += text
    assert found == {
        kind: b"".join(text for other, text in frames if other == kind) for kind in (1, 2)
    }


@given(
    st.text("ab", min_size=1, max_size=4),
    st.text("abc", max_size=30),
    st.lists(st.integers(1, 3), max_size=20),
)
def test_keys_are_found_where_they_first_stand(keys: str, typed: str, sizes: list[int]) -> None:
    watch = KeyWatch(keys.encode())
    sent, is_found = b"", False
    for piece in cut(typed.encode(), sizes):
        data, is_found = watch.feed(piece)
        sent += data
        if is_found:
            break
    else:
        sent += watch.rest()
    at = typed.find(keys)
    assert is_found == (at >= 0)
    assert sent.decode() == (typed[:at] if at >= 0 else typed)
