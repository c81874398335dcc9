"""Reading a container's log files, from the end, from the start, and as they grow.

Owns `container.log` and the rotated files beside it, `container.log.1` being the youngest of
those. A reader sees them as one log: it goes on from file to file, also while they are being
rotated, and neither loses nor repeats a line. It never blocks the loop: files are read on
threads, in blocks small enough to be framed in under a millisecond.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from naru.aio import in_thread, uncancelled
from naru.clock import Clock, SystemClock
from naru.linux.fs import data_start
from naru.linux.inotify import Event, Inotify, Mask
from naru.runtime.log_lines import BOTH, Framing, LogFilter, LogLines, Record

_BLOCK_BYTES: Final = 128 << 10
# How long a follower may go without asking whether the container still runs.
_POLL_S: Final = 0.05
# Enough to tell files apart whose inode is used anew: a time in nanoseconds, and some text.
_HEAD_BYTES: Final = 64
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,3}")
_TAIL_BYTES: Final = 64 << 10
# How far before the wanted lines a line is looked for that ends among them.
_LOOK_BACK_BYTES: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class LogQuery:
    """What a reader wants; `tail` counts lines before `wanted` is applied, None means all."""

    wanted: LogFilter = field(default_factory=LogFilter)
    tail: int | None = None
    follow: bool = False


def _always() -> bool:
    return True


async def framed(
    path: Path,
    query: LogQuery,
    framing: Framing,
    *,
    stopped: Callable[[], bool] = _always,
    clock: Clock | None = None,
) -> AsyncIterator[bytes]:
    """Yield the log as bytes for the wire, in blocks of up to some 200 KiB.

    When following, the end comes soon after `stopped()` is true or `until_ns` has passed.
    Nothing is yielded for a log that does not exist.
    """
    lines = LogLines(query.wanted)
    async for piece in _pieces(path, query, stopped, clock or SystemClock(), lines):
        data = _frame(piece, lines, framing)
        if data:
            yield data


def _frame(piece: bytes | list[Record], lines: LogLines, framing: Framing) -> bytes:
    if isinstance(piece, bytes):
        return lines.frames(piece, framing)
    return framing.records(piece)


async def records(
    path: Path,
    query: LogQuery | None = None,
    *,
    outputs: frozenset[int] = BOTH,
    stopped: Callable[[], bool] = _always,
    clock: Clock | None = None,
) -> AsyncIterator[Record]:
    """Yield the log line by line, as `framed` does; `outputs` alone may stand for a query."""
    query = query or LogQuery(wanted=LogFilter(outputs=outputs))
    lines = LogLines(query.wanted)
    async for piece in _pieces(path, query, stopped, clock or SystemClock(), lines):
        for record in lines.records(piece) if isinstance(piece, bytes) else piece:
            yield record


async def _pieces(
    path: Path, query: LogQuery, stopped: Callable[[], bool], clock: Clock, lines: LogLines
) -> AsyncIterator[bytes | list[Record]]:
    """Yield blocks for `lines` to read, and records that need no reading any more."""
    with LogFiles(path) as files:
        # A cancelled reader does not stop the thread: leaving now would lose what it opens.
        await uncancelled(in_thread(files.open))
        if query.tail is not None:
            yield await in_thread(files.take_tail, query.tail, lines)
        while (block := await files.next_block(lines)) is not None:
            yield block
        if query.follow:
            async for block in _follow(files, query, stopped, clock, lines):
                yield block
    yield lines.finish()


async def _follow(
    files: LogFiles, query: LogQuery, stopped: Callable[[], bool], clock: Clock, lines: LogLines
) -> AsyncIterator[bytes]:
    until = query.wanted.until_ns
    with _Changes(files.path.parent) as changes:
        while True:
            # Asked before reading: what was written before the end is read after the question.
            is_last_round = stopped() or (bool(until) and clock.now_ns() > until)
            while (block := await files.next_block(lines)) is not None:
                yield block
            if await uncancelled(in_thread(files.advance)):
                continue
            if is_last_round:
                return
            await changes.wait(_POLL_S)


class _Changes:
    """Wakes a follower when something happens in the directory of the log."""

    def __init__(self, directory: Path) -> None:
        self._event = asyncio.Event()
        self._inotify: Inotify | None = None
        # Without inotify (its instances are limited per user) polling has to do.
        with contextlib.suppress(OSError):
            self._inotify = Inotify(self._changed)
            self._inotify.watch(directory, Mask.MODIFY | Mask.MOVED_TO | Mask.CREATE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._inotify is not None:
            self._inotify.close()

    def _changed(self, _: list[Event]) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


@dataclass(slots=True)
class _OpenFile:
    descriptor: int
    inode: int
    offset: int = 0

    def close(self) -> None:
        os.close(self.descriptor)


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a log that can be found again: the file, by inode and first bytes, and where."""

    inode: int
    head: str
    offset: int


class LogFiles:
    """The files of one log, oldest first; reading starts in the first and moves on."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # How many files were read to their end and left.
        self.left = 0
        self._files: list[_OpenFile] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all files. Idempotent."""
        for file in self._files:
            file.close()
        self._files.clear()

    def open(self) -> None:
        """Open all files there are. Blocking."""
        self._files = _open_all(self.path)

    def seek_end(self) -> None:
        """Go to the present end of the newest file. Blocking."""
        for file in self._files[:-1]:
            file.close()
        self._files = self._files[-1:]
        for file in self._files:
            file.offset = os.fstat(file.descriptor).st_size

    async def next_block(self, lines: LogLines) -> bytes | None:
        """Return more of the log, or None at its present end."""
        while self._files:
            file = self._files[0]
            block = await in_thread(os.pread, file.descriptor, _BLOCK_BYTES, file.offset)
            if block or not self._leave(lines):
                file.offset += len(block)
                return block or None
        return None

    def read_block(self, lines: LogLines, size: int = _BLOCK_BYTES) -> bytes | None:
        """Return what `next_block` does. Blocking."""
        while self._files:
            file = self._files[0]
            block = os.pread(file.descriptor, size, file.offset)
            if block or not self._leave(lines):
                file.offset += len(block)
                return block or None
        return None

    def _leave(self, lines: LogLines) -> bool:
        """Go on from a file that was read to its end to the next, if there is one."""
        if len(self._files) == 1:
            return False
        self._files.pop(0).close()
        self.left += 1
        lines.next_file()
        return True

    def position(self, unread: int) -> Position | None:
        """Return the place `unread` bytes before where reading goes on. Blocking."""
        if not self._files:
            return None
        file = self._files[0]
        head = os.pread(file.descriptor, _HEAD_BYTES, 0)
        return Position(file.inode, head.hex(), file.offset - unread)

    def seek(self, position: Position) -> bool:
        """Go on from a place, if its file is still there; else stay at the start. Blocking."""
        for index, file in enumerate(self._files):
            head = os.pread(file.descriptor, len(position.head) // 2, 0)
            is_same = head.hex() == position.head or not any(head)
            if file.inode == position.inode and is_same:
                for older in self._files[:index]:
                    older.close()
                del self._files[:index]
                file.offset = position.offset
                return True
        return False

    def advance(self) -> bool:
        """Look for files newer than the one that was read to its end; say whether there are.

        conmon makes the new file before it leaves the old one, and writes nothing in between:
        once there is a newer file, the older one is final, but may have grown since it was read.
        Blocking.
        """
        if not self._files:
            self.open()
            return bool(self._files)
        current = self._files[-1]
        # Between two steps of a rotation there is no file by that name.
        with contextlib.suppress(FileNotFoundError):
            if os.stat(self.path).st_ino == current.inode:
                return False
        found = _open_all(self.path)
        inodes = [file.inode for file in found]
        known = inodes.index(current.inode) + 1 if current.inode in inodes else 0
        for file in found[:known]:
            file.close()
        self._files.extend(found[known:])
        return len(found) > known

    def take_tail(self, count: int, lines: LogLines) -> list[Record]:
        """Read the last `count` lines and leave the position after them. Blocking.

        More and more of the end is read until the wanted lines are surely there as a whole:
        their first pieces may be far before the last one.
        """
        ends = [os.fstat(file.descriptor).st_size for file in self._files]
        total = sum(ends) - sum(file.offset for file in self._files)
        span = _TAIL_BYTES
        while True:
            contents = self._read_end(ends, span)
            found, is_sure = lines.last(contents, count)
            is_whole = sum(map(len, contents)) >= total
            if is_whole or is_sure or (len(found) >= count and span >= _LOOK_BACK_BYTES):
                break
            span *= 4
        for file in self._files[:-1]:
            file.close()
        self._files = self._files[-1:]
        for file in self._files:
            file.offset = ends[-1]
        return found

    def _read_end(self, ends: list[int], span: int) -> list[bytes]:
        """Return the last `span` bytes of the log, per file, starting at a line."""
        contents: list[bytes] = []
        for file, end in zip(reversed(self._files), reversed(ends), strict=True):
            start = max(file.offset, end - span)
            content = _read(file.descriptor, start, end)
            span -= end - start
            contents.insert(
                0, content if start == file.offset else content[content.find(b"\n") + 1 :]
            )
            if span <= 0:
                break
        return contents


def _read(descriptor: int, start: int, end: int) -> bytes:
    pieces = []
    while start < end and (piece := os.pread(descriptor, end - start, start)):
        pieces.append(piece)
        start += len(piece)
    return b"".join(pieces)


def _open_all(path: Path) -> list[_OpenFile]:
    """Open the log's files, oldest first. Blocking.

    A rotation that goes on meanwhile moves files to higher numbers, and so does the search: it
    may meet a file twice, but passes none by. A file younger than all it met is found next time.
    """
    found: list[_OpenFile] = []
    for number in range(_highest_number(path) + 2):
        file = _open(path.with_name(f"{path.name}.{number}") if number else path)
        if file is None:
            continue
        if any(file.inode == known.inode for known in found):
            file.close()
        else:
            found.append(file)
    return found[::-1]


def _highest_number(path: Path) -> int:
    prefix = f"{path.name}."
    try:
        entries = os.listdir(path.parent)
    except FileNotFoundError:
        return 0
    numbers = [entry.removeprefix(prefix) for entry in entries if entry.startswith(prefix)]
    return max((int(number) for number in numbers if _NUMBER.fullmatch(number)), default=0)


def _open(path: Path) -> _OpenFile | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    # Where a log outgrew its bound there is a hole, which may be much larger than the log.
    return _OpenFile(descriptor, os.fstat(descriptor).st_ino, data_start(descriptor))
