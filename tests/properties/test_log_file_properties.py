"""Laws of reading logs: whatever was written comes back, however the file is cut or asked for."""

from __future__ import annotations

import asyncio
import itertools
import struct
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from naru.runtime import log_file
from naru.runtime.log_file import LogQuery
from naru.runtime.log_lines import BOTH, Framing, LogFilter, LogLines, Record

# What processes write: pieces, each to one stream, with or without a newline at the end.
_TEXTS = st.binary(max_size=12).map(lambda data: data.replace(b"\n", b""))
_WRITES = st.lists(st.tuples(st.sampled_from([1, 2]), _TEXTS, st.booleans()), max_size=30)
_NAMES = {1: b"stdout", 2: b"stderr"}


def _log(writes: list[tuple[int, bytes, bool]]) -> bytes:
    """Write as conmon does; a piece without a newline gets the tag P."""
    lines = []
    for number, (stream, text, ends) in enumerate(writes):
        tag = b"F" if ends else b"P"
        lines.append(
            b"2026-01-02T03:04:05.%09d+00:00 %s %s %s\n" % (number, _NAMES[stream], tag, text)
        )
    return b"".join(lines)


def _written(writes: list[tuple[int, bytes, bool]]) -> dict[int, bytes]:
    streams = {1: b"", 2: b""}
    for stream, text, ends in writes:
        streams[stream] += text + (b"\n" if ends else b"")
    return streams


def _joined(records: list[Record]) -> dict[int, bytes]:
    streams = {1: b"", 2: b""}
    for record in records:
        streams[record.stream] += record.data
    return streams


def _cut(data: bytes, points: list[int]) -> list[bytes]:
    edges = [0, *sorted(point % (len(data) + 1) for point in points), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


def _unframe(data: bytes) -> list[tuple[int, bytes]]:
    frames = []
    while data:
        stream, size = struct.unpack(">BxxxI", data[:8])
        frames.append((stream, data[8 : 8 + size]))
        data = data[8 + size :]
    return frames


_POINTS = st.lists(st.integers(0, 2000), max_size=8)


@given(_WRITES, _POINTS)
def test_records_hold_what_was_written_wherever_blocks_are_cut(
    writes: list[tuple[int, bytes, bool]], points: list[int]
) -> None:
    lines = LogLines()
    records = [r for block in _cut(_log(writes), points) for r in lines.records(block)]
    records += lines.finish()
    assert _joined(records) == _written(writes)
    assert all(b"\n" not in record.data[:-1] for record in records)


@given(_WRITES, _POINTS, st.booleans(), st.booleans(), st.sampled_from([{1}, {2}, {1, 2}]))
def test_frames_and_records_agree(
    writes: list[tuple[int, bytes, bool]],
    points: list[int],
    raw: bool,
    timestamps: bool,
    outputs: set[int],
) -> None:
    wanted = LogFilter(outputs=frozenset(outputs))
    framing = Framing(raw=raw, timestamps=timestamps)
    slow, fast = LogLines(wanted), LogLines(wanted)
    blocks = _cut(_log(writes), points)
    records = [r for block in blocks for r in slow.records(block)] + slow.finish()
    framed = b"".join(fast.frames(block, framing) for block in blocks)
    framed += framing.records(fast.finish())
    assert framed == framing.records(records)
    if not raw:
        assert [stream for stream, _ in _unframe(framed)] == [r.stream for r in records]


async def _read(path: Path, query: LogQuery) -> list[Record]:
    return [record async for record in log_file.records(path, query)]


@settings(max_examples=60)
@given(_WRITES, st.integers(0, 35), st.lists(st.integers(0, 30), max_size=2), st.integers(1, 9))
def test_tail_is_the_end_of_all_over_rotated_files(
    writes: list[tuple[int, bytes, bool]], count: int, splits: list[int], repeat: int
) -> None:
    writes = writes * repeat
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "container.log"
        edges = [0, *sorted(min(s, len(writes)) for s in splits), len(writes)]
        parts = [writes[a:b] for a, b in itertools.pairwise(edges)]
        offset = 0
        for number, part in enumerate(parts):
            name = path if number == len(parts) - 1 else Path(f"{path}.{len(parts) - 1 - number}")
            text = _log(writes).split(b"\n")[offset : offset + len(part)]
            name.write_bytes(b"".join(line + b"\n" for line in text))
            offset += len(part)
        everything = asyncio.run(_read(path, LogQuery()))
        last = asyncio.run(_read(path, LogQuery(tail=count)))
    assert _joined(everything) == _written(writes)
    unfinished = len([r for r in everything if not r.data.endswith(b"\n")])
    if count >= unfinished:
        assert last == everything[max(len(everything) - count, 0) :]
    else:
        assert not last


@given(_WRITES, st.integers(0, 31), st.integers(0, 31))
def test_bounds_of_time_include_both_ends(
    writes: list[tuple[int, bytes, bool]], first: int, last: int
) -> None:
    whole = [(stream, text, True) for stream, text, _ in writes]
    base = 1_767_323_045_000_000_000
    wanted = LogFilter(outputs=BOTH, since_ns=base + first, until_ns=base + last)
    lines = LogLines(wanted)
    found = lines.records(_log(whole))
    assert [r.data for r in found] == [t + b"\n" for _, t, _ in whole[first : last + 1]]


@given(st.binary(max_size=300), _POINTS)
def test_no_bytes_in_a_log_break_the_reader(data: bytes, points: list[int]) -> None:
    lines = LogLines(LogFilter(since_ns=1))
    for block in _cut(data, points):
        lines.frames(block, Framing(timestamps=True))
    lines.finish()
    LogLines().last([data], 3)
