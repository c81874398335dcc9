"""The lines of a container's log: parsed, joined, filtered and framed. Pure.

conmon writes `2026-01-02T03:04:05.678901234+00:00 stdout F text`, one line per line of output;
what came without a newline at the end is a piece, tagged `P`, and the rest of the line follows
in later pieces of the same stream. Pieces are joined here, so that no reader sees a line in two
parts, as long as the line has at most `MAX_JOINED_BYTES`.

Logs are long: the common case, whole lines in UTC, is handled with a few operations per block
and one table look-up per line.

Spec: conmon 2.1, src/ctr_logging.c; Kubernetes CRI log format; Engine API 1.50, ContainerAttach,
"Stream format".
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

STDOUT: Final = 1
STDERR: Final = 2
BOTH: Final = frozenset({STDOUT, STDERR})
MAX_JOINED_BYTES: Final = 1 << 20

# Where things are in a line in UTC: the time without its zone, the tag, the text.
TIME_END: Final = 29
TEXT_START: Final = 45
TAGS: Final = {b"+00:00 stdout F ": STDOUT, b"+00:00 stderr F ": STDERR}
# Lines up to what conmon reads at once are framed by table.
_TABLE_BYTES: Final = TEXT_START + 8193
_HEADER: Final = struct.Struct(">BxxxI")
_STAMP_BYTES: Final = TIME_END + 2
_LINE: Final = re.compile(
    rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})(Z|[+-]\d\d:\d\d) (stdout|stderr) ([FP])(?::\S*)? (.*)",
    re.DOTALL,
)


class Record(NamedTuple):
    """One line of output, or a part of one that is too long to be joined.

    `timestamp` is in UTC with nine digits and without a zone; `data` ends with a newline unless
    the line goes on, or was never finished.
    """

    stream: int
    timestamp: bytes
    data: bytes
    starts_line: bool = True


@dataclass(frozen=True, slots=True)
class LogFilter:
    """Which lines are wanted; times are UTC nanoseconds, both ends included, 0 for no bound."""

    outputs: frozenset[int] = BOTH
    since_ns: int = 0
    until_ns: int = 0

    @property
    def bounds(self) -> tuple[bytes, bytes]:
        """The times as text that compares with timestamps."""
        since = timestamp_text(self.since_ns) if self.since_ns else b""
        return since, timestamp_text(self.until_ns) if self.until_ns else b"~"

    @property
    def is_open(self) -> bool:
        """Whether every line passes."""
        return self.outputs >= BOTH and not self.since_ns and not self.until_ns


def timestamp_text(nanoseconds: int) -> bytes:
    """Return a time as it stands in a `Record`."""
    seconds, fraction = divmod(nanoseconds, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}".encode("ascii")


class LineFormat(Protocol):
    """How lines are written for a reader."""

    def whole_lines(self, lines: Sequence[bytes]) -> bytes:
        """Write lines that are whole and in UTC, as they stand in the log.

        Raises:
            KeyError, IndexError: a line is not so; it has to go the long way, as a record.
        """

    def records(self, records: Iterable[Record]) -> bytes:
        """Write records."""


class LogLines:
    """Turns blocks of a log, cut anywhere, into records or frames. Keeps what is unfinished."""

    def __init__(self, wanted: LogFilter | None = None) -> None:
        self._wanted = wanted or LogFilter()
        self._since, self._until = self._wanted.bounds
        self._rest = b""
        self._pieces: dict[int, _Joined] = {}

    def records(self, block: bytes) -> list[Record]:
        """Return the records that are complete now."""
        return self._filtered(self._parse(self._split(block)))

    def frames(self, block: bytes, framing: LineFormat) -> bytes:
        """Return the same, framed for the wire."""
        lines = self._split(block)
        if not lines:
            return b""
        if not self._pieces:
            try:
                return framing.whole_lines(self._narrow(lines))
            except (KeyError, IndexError):
                # A piece, another zone, or a line longer than the table: the long way.
                pass
        return framing.records(self._filtered(self._parse(lines)))

    def last(self, contents: Sequence[bytes], count: int) -> tuple[list[Record], bool]:
        """Start anew with the ends of files, and return the last `count` lines that are wanted.

        Also says whether these are surely whole: of each stream the first line in `contents` may
        have begun before them. Unfinished lines count, and stay to be finished.
        """
        self._pieces.clear()
        found: list[Record] = []
        for content in contents:
            self._rest = b""
            found += self._parse(self._split(content))
        keep = max(count - len(self._pieces), 0)
        if count < len(self._pieces):
            self._pieces.clear()
        first_kept = max(len(found) - keep, 0)
        seen_before = {record.stream for record in found[:first_kept]}
        needed = {record.stream for record in found[first_kept:]} | set(self._pieces)
        is_sure = len(found) >= keep and needed <= seen_before
        return self._filtered(found[first_kept:]), is_sure

    def finish(self) -> list[Record]:
        """Return the pieces of lines that were never finished; nothing is kept."""
        left = [
            Record(stream, joined.timestamp, b"".join(joined.pieces), joined.starts_line)
            for stream, joined in self._pieces.items()
            if joined.pieces
        ]
        self._pieces.clear()
        self._rest = b""
        return self._filtered(left)

    @property
    def rest_bytes(self) -> int | None:
        """How many bytes of the last block belong to no line yet; None while a line is in pieces."""
        return None if self._pieces else len(self._rest)

    def next_file(self) -> None:
        """Forget a line torn at the end of a file: the rest of it is in no other."""
        self._rest = b""

    def _split(self, block: bytes) -> list[bytes]:
        data = self._rest + block if self._rest else block
        end = data.rfind(b"\n")
        if end < 0:
            self._rest = data
            return []
        self._rest = data[end + 1 :]
        return data[:end].split(b"\n")

    def _narrow(self, lines: list[bytes]) -> list[bytes]:
        """Leave out unwanted lines; KeyError on any line that is not whole."""
        wanted = self._wanted
        if wanted.is_open:
            return lines
        since, until, outputs = self._since, self._until, wanted.outputs
        return [
            line
            for line in lines
            if (TAGS[line[TIME_END:TEXT_START]] in outputs) and since <= line[:TIME_END] <= until
        ]

    def _filtered(self, records: list[Record]) -> list[Record]:
        if self._wanted.is_open:
            return records
        since, until, outputs = self._since, self._until, self._wanted.outputs
        return [
            record
            for record in records
            if record.stream in outputs and since <= record.timestamp <= until
        ]

    def _parse(self, lines: list[bytes]) -> list[Record]:
        records = []
        pieces = self._pieces
        for line in lines:
            stream = TAGS.get(line[TIME_END:TEXT_START])
            if stream is not None and stream not in pieces:
                records.append(Record(stream, line[:TIME_END], line[TEXT_START:] + b"\n"))
                continue
            match = _LINE.fullmatch(line)
            if match is None:
                # Torn by a full disk; the lines after it are whole again.
                continue
            stream = STDOUT if match[4] == b"stdout" else STDERR
            record = self._join(stream, _utc(match[1], match[2], match[3]), match[5], match[6])
            if record is not None:
                records.append(record)
        return records

    def _join(self, stream: int, timestamp: bytes, tag: bytes, text: bytes) -> Record | None:
        joined = self._pieces.get(stream)
        if tag == b"F":
            if joined is None:
                return Record(stream, timestamp, text + b"\n")
            del self._pieces[stream]
            data = b"".join([*joined.pieces, text, b"\n"])
            return Record(stream, joined.timestamp, data, joined.starts_line)
        if joined is None:
            joined = self._pieces[stream] = _Joined(timestamp)
        joined.pieces.append(text)
        joined.size += len(text)
        if joined.size < MAX_JOINED_BYTES:
            return None
        record = Record(stream, joined.timestamp, b"".join(joined.pieces), joined.starts_line)
        self._pieces[stream] = _Joined(joined.timestamp, starts_line=False)
        return record


class _Joined:
    """The pieces of a line so far."""

    __slots__ = ("pieces", "size", "starts_line", "timestamp")

    def __init__(self, timestamp: bytes, *, starts_line: bool = True) -> None:
        self.timestamp = timestamp
        self.starts_line = starts_line
        self.pieces: list[bytes] = []
        self.size = 0


def _utc(moment: bytes, fraction: bytes, zone: bytes) -> bytes:
    if zone in (b"+00:00", b"Z"):
        return moment + b"." + fraction
    local = datetime.fromisoformat((moment + zone).decode("ascii"))
    return local.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S").encode("ascii") + b"." + fraction


class Framing:
    """How lines go over the wire: raw for a terminal, else one frame of stdcopy per line."""

    def __init__(
        self, *, raw: bool = False, timestamps: bool = False, details: bytes = b""
    ) -> None:
        """Frame lines; `details` stands before each of them, behind the time."""
        self._raw = raw
        self._timestamps = timestamps
        self._details = details

    def whole_lines(self, lines: Sequence[bytes]) -> bytes:
        """Frame lines that are whole and in UTC, as they stand in the log.

        Raises:
            KeyError, IndexError: a line is not so, or is longer than the table.
        """
        if not lines:
            return b""
        if self._details:
            # Rare enough for the long way.
            raise KeyError
        if self._raw:
            if not all(line[TIME_END:TEXT_START] in TAGS for line in lines):
                raise KeyError
            if self._timestamps:
                pieces = [line[:TIME_END] + b"Z " + line[TEXT_START:] for line in lines]
            else:
                pieces = [line[TEXT_START:] for line in lines]
            return b"\n".join(pieces) + b"\n"
        headers = _header_tables(timestamps=self._timestamps)
        if self._timestamps:
            pieces = [
                headers[line[TIME_END:TEXT_START]][len(line)]
                + line[:TIME_END]
                + b"Z "
                + line[TEXT_START:]
                for line in lines
            ]
        else:
            pieces = [
                headers[line[TIME_END:TEXT_START]][len(line)] + line[TEXT_START:] for line in lines
            ]
        return b"\n".join(pieces) + b"\n"

    def records(self, records: Iterable[Record]) -> bytes:
        """Frame records."""
        pieces = []
        for record in records:
            data = record.data
            if record.starts_line:
                data = self._details + data
                if self._timestamps:
                    data = record.timestamp + b"Z " + data
            if not self._raw:
                pieces.append(_HEADER.pack(record.stream, len(data)))
            pieces.append(data)
        return b"".join(pieces)


@functools.cache
def _header_tables(*, timestamps: bool) -> dict[bytes, list[bytes]]:
    """Return, per tag, the frame header of a line by its length in the log.

    Text plus newline is what a frame holds, and the time where it is asked for.
    """
    extra = 1 - TEXT_START + (_STAMP_BYTES if timestamps else 0)
    return {
        tag: [
            _HEADER.pack(stream, max(length + extra, 0)) if length >= TEXT_START else b""
            for length in range(_TABLE_BYTES)
        ]
        for tag, stream in TAGS.items()
    }
