"""The events of the past, on disk: what `since` asks for, also from before the engine started.

Owns the folder `<data_root>/events` with at most two segments: `current`, which is appended to,
and `previous`, which it becomes when it is full. A line is a number, the time and the event. A
line is one write without fsync: it survives the engine's death, not a power cut, and a start
waits for no disk. A line that was cut short is passed over by readers.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

_log = logging.getLogger(__name__)

SEGMENT_BYTES = 4 << 20
SEGMENT_EVENTS = 10_000

Event = dict[str, Any]
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Event).decode


class EventJournal:
    """Appends on the loop, reads in threads."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        segment_events: int = SEGMENT_EVENTS,
    ) -> None:
        """Open the journal or begin one; what an earlier engine wrote stays readable."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._current, self._previous = folder / "current", folder / "previous"
        self._segment_bytes, self._segment_events = segment_bytes, segment_events
        # Opening both segments and making one of the other exclude each other.
        self._turning = threading.Lock()
        self._fd = -1
        self._failed = False
        self.last_number = 0
        self._bytes = self._events = 0
        self._open()

    def append(self, event: Event) -> None:
        """Write one event down. A full disk loses it, and is logged once."""
        line = b"%d %d %b\n" % (self.last_number + 1, event["timeNano"], _encode(event))
        self.last_number += 1
        # After a failure the last line may be cut short; it ends here.
        if self._failed:
            line = b"\n" + line
        try:
            if self._bytes >= self._segment_bytes or self._events >= self._segment_events:
                self._turn()
            if os.write(self._fd, line) < len(line):
                raise OSError("the disk is full")
        except OSError as error:
            if not self._failed:
                _log.warning("events are not kept: %s", error)
            self._failed = True
            return
        self._failed = False
        self._bytes += len(line)
        self._events += 1

    def read(self, since_ns: int, until_ns: int | None, last_number: int) -> list[Event]:
        """Return the events of a stretch of time, oldest first, numbered up to `last_number`.

        Blocks for some milliseconds.
        """
        with self._turning:
            segments = [
                path.open("rb") for path in (self._previous, self._current) if path.exists()
            ]
        found: list[Event] = []
        for segment in segments:
            with segment:
                lines = segment.read().split(b"\n")
            for number, time_ns, text in _whole(lines):
                in_time = time_ns >= since_ns and (until_ns is None or time_ns <= until_ns)
                if in_time and number <= last_number:
                    try:
                        found.append(_decode(text))
                    except msgspec.MsgspecError:
                        continue
        return found

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _open(self) -> None:
        for path in (self._previous, self._current):
            content = path.read_bytes() if path.exists() else b""
            lines = content.split(b"\n")
            self._bytes, self._events = len(content), len(lines) - 1
            self._failed = bool(lines[-1])
            for number, _, _ in _whole(lines):
                self.last_number = max(self.last_number, number)
        self._fd = self._opened()

    def _opened(self) -> int:
        return os.open(self._current, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _turn(self) -> None:
        with self._turning:
            self._current.replace(self._previous)
            fresh = self._opened()
            os.close(self._fd)
            self._fd = fresh
        self._bytes = self._events = 0


def _whole(lines: list[bytes]) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, time and text of the lines that are whole as far as can be seen."""
    for line in lines:
        number, _, rest = line.partition(b" ")
        time_ns, _, text = rest.partition(b" ")
        if number.isdigit() and time_ns.isdigit() and text.endswith(b"}"):
            yield int(number), int(time_ns), text
