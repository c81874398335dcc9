"""File events of the kernel, on the event loop.

Owns one inotify descriptor per `Inotify`. Loop only; `close()` ends it. Losing events to an
overflow is reported as an event with the mask `Mask.OVERFLOW`, after which the caller looks at
the directories again.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct("iIII")
_BUFFER_BYTES = 65536
_libc = ctypes.CDLL(None, use_errno=True)


class Mask:
    """The events that Naru uses: plain numbers, for an `IntFlag` takes longer than the event.

    Spec: inotify(7).
    """

    MODIFY = 0x2
    CLOSE_WRITE = 0x8
    MOVED_TO = 0x80
    CREATE = 0x100
    OVERFLOW = 0x4000
    IGNORED = 0x8000


class Event(NamedTuple):
    """One event: the watch, what happened, and the name inside the watched directory."""

    watch: int
    mask: int
    name: str


class Inotify:
    """Calls `on_events` on the loop with each batch of events."""

    def __init__(self, on_events: Callable[[list[Event]], None]) -> None:
        self._on_events = on_events
        self._loop = asyncio.get_running_loop()
        self._descriptor = _checked(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._loop.add_reader(self._descriptor, self._readable)

    def watch(self, path: Path, mask: int) -> int:
        """Watch a file or directory; the same path gives the same watch again.

        Raises:
            OSError: the path is missing, or the kernel's limit of watches is reached.
        """
        return _checked(
            _libc.inotify_add_watch(self._descriptor, os.fsencode(path), ctypes.c_uint32(mask))
        )

    def unwatch(self, watch: int) -> None:
        """Stop watching; harmless when the path is gone already."""
        _libc.inotify_rm_watch(self._descriptor, watch)

    def close(self) -> None:
        """Stop all watches. Idempotent."""
        if self._descriptor >= 0:
            self._loop.remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _readable(self) -> None:
        try:
            data = os.read(self._descriptor, _BUFFER_BYTES)
        except BlockingIOError:
            return
        if events := _parse(data):
            self._on_events(events)


def _parse(data: bytes) -> list[Event]:
    events = []
    offset = 0
    while offset < len(data):
        watch, mask, _, length = _HEADER.unpack_from(data, offset)
        offset += _HEADER.size
        name = os.fsdecode(data[offset : offset + length].rstrip(b"\0"))
        offset += length
        events.append(Event(watch, mask, name))
    return events


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
