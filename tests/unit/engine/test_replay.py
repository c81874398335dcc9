"""A replay and what follows it, without repeats."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.engine.streams.replay import LiveAfterReplay, Replay, overlap
from naru.runtime.log_lines import Record

_BEFORE, _CONNECTED, _AFTER = b"2026-01-01", b"2026-01-02", b"2026-01-03"


class _Source:
    def __init__(self, *pieces: tuple[int, bytes], ends: bool = True) -> None:
        self._pieces = list(pieces)
        self._ends = ends

    async def read(self) -> tuple[int, bytes] | None:
        if not self._pieces and not self._ends:
            await asyncio.Event().wait()
        return self._pieces.pop(0) if self._pieces else None

    async def write(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    def close(self) -> None: ...


async def _records(*records: Record) -> AsyncIterator[Record]:
    for record in records:
        yield record


async def _all(records: list[Record], source: _Source) -> dict[int, bytes]:
    replay = Replay(_records(*records), _CONNECTED)
    got = {1: b"", 2: b""}
    async for stream, data in replay.pieces():
        got[stream] += data
    live = LiveAfterReplay(source, replay)
    while (piece := await live.read()) is not None:
        got[piece[0]] += piece[1]
    return got


async def test_what_the_log_has_had_does_not_come_again() -> None:
    records = [
        Record(1, _BEFORE, b"1\n"),
        Record(1, _AFTER, b"2\n"),
        Record(2, _AFTER, b"err\n"),
        Record(1, _AFTER, b"3\n"),
    ]
    source = _Source((1, b"3"), (2, b"err\nmore\n"), (1, b"\n4\n"), (1, b"5\n"))
    assert await _all(records, source) == {1: b"1\n2\n3\n4\n5\n", 2: b"err\nmore\n"}


async def test_what_was_logged_before_the_connection_may_come_again() -> None:
    source = _Source((1, b"same\n"))
    assert await _all([Record(1, _BEFORE, b"same\n")], source) == {1: b"same\nsame\n", 2: b""}


async def test_a_stream_that_pauses_is_not_waited_for_long() -> None:
    replay = Replay(_records(Record(1, _AFTER, b"a long line\n")), _CONNECTED)
    assert [piece async for piece in replay.pieces()] == [(1, b"a long line\n")]
    live = LiveAfterReplay(_Source((1, b"x"), ends=False), replay)
    async with asyncio.timeout(20):
        assert await live.read() == (1, b"x")


@pytest.mark.parametrize(
    ("end", "live", "count"),
    [
        (b"", b"x", 0),
        (b"x", b"", 0),
        (b"1\n2\n3\n", b"3\n4\n", 2),
        (b"1\n2\n3\n", b"2\n3\n", 4),
        (b"1\n2\n", b"3\n", 0),
        (b"12", b"123456", 2),
    ],
)
def test_an_overlap_is_found(end: bytes, live: bytes, count: int) -> None:
    assert overlap(end, live) == count


@given(st.binary(max_size=30), st.binary(max_size=30))
def test_an_overlap_is_the_longest(end: bytes, live: bytes) -> None:
    sizes = range(min(len(end), len(live)) + 1)
    assert overlap(end, live) == max(m for m in sizes if end[len(end) - m :] == live[:m])
