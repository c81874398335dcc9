"""Taking stdout and stderr apart."""

from __future__ import annotations

import pytest

from naru.client.hijack import STDERR, STDOUT, Demultiplexer
from naru.errors import FaultError


def frame(kind: int, data: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


def test_frames_of_one_stream_are_joined() -> None:
    data = frame(1, b"a") + frame(1, b"b") + frame(2, b"c") + frame(0, b"d")
    assert Demultiplexer().feed(data) == [(STDOUT, b"ab"), (STDERR, b"c"), (STDOUT, b"d")]


def test_a_part_of_a_frame_is_handed_over_at_once() -> None:
    demultiplexer = Demultiplexer()
    assert demultiplexer.feed(frame(1, b"abcdef")[:10]) == [(STDOUT, b"ab")]
    assert demultiplexer.feed(b"cd") == [(STDOUT, b"cd")]


def test_empty_frames_are_nothing() -> None:
    assert Demultiplexer().feed(frame(1, b"") + frame(2, b"x")) == [(STDERR, b"x")]


def test_an_error_of_the_engine_is_raised_when_it_is_whole() -> None:
    demultiplexer = Demultiplexer()
    text = frame(3, b"out of disk")
    assert demultiplexer.feed(text[:12]) == []
    with pytest.raises(FaultError, match=r"^error from daemon in stream: out of disk$"):
        demultiplexer.feed(text[12:])


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(FaultError, match="Unrecognized input header: 72"):
        Demultiplexer().feed(b"HTTP/1.1 200")
