"""A spool on its way to a sink: read, handed over, and remembered how far.

Owns the checkpoint beside the spool, which says where in the spool everything before has been
handed over, and how large the target was then. After a kill a file is continued exactly: what
was written to it after the checkpoint is counted, made again from the spool, and left out. So no
reader of that file sees a line twice or in part. A service may get lines twice.

Blocking; one thread at a time.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Final

import msgspec

from naru.errors import CorruptDataError, FaultError, NaruError
from naru.faults import fault_point
from naru.runtime.json_log import JsonFormat, JsonLog
from naru.runtime.log_file import LogFiles, Position
from naru.runtime.log_lines import TIME_END, LogFilter, LogLines, Record
from naru.runtime.log_sink import RemoteSink

_AFTER_APPEND = fault_point("runtime.log_shipment.after_append")

# Small enough for memory that malloc has at hand: with larger ones, page faults take the time.
_BLOCK_BYTES: Final = 32 << 10
# One turn is short, so that the spool can be rotated between two.
_BLOCKS_PER_TURN: Final = 32
# More than a checkpoint ever takes, so that a shorter one leaves nothing of a longer.
_CHECKPOINT_BYTES: Final = 512
_CHECKPOINT_SUFFIX: Final = ".shipped"


class Progress(Enum):
    """What one turn of shipping came to."""

    DONE = "done"  # all there is was handed over
    MORE = "more"  # there may be more
    STUCK = "stuck"  # the sink does not take it now


class Checkpoint(msgspec.Struct, kw_only=True, omit_defaults=True):
    """How far a spool was shipped: to `position`, and `emitted` bytes of output beyond."""

    inode: int = 0
    head: str = ""
    offset: int = 0
    emitted: int = 0
    target_inode: int = 0
    target_size: int = 0
    last_time: str = ""


class _Cursor:
    """Reads a spool from its checkpoint on."""

    def __init__(self, spool: Path, block_bytes: int = _BLOCK_BYTES) -> None:
        self._block_bytes = block_bytes
        self._path = spool.with_name(spool.name + _CHECKPOINT_SUFFIX)
        self._files = LogFiles(spool)
        self.lines = LogLines()
        self.saved = Checkpoint()
        self._descriptor = -1
        self._last_time = ""
        self._left = 0

    def open(self) -> bool:
        """Find the place; False if it is gone and later lines are all that can be gone by."""
        with contextlib.suppress(FileNotFoundError, msgspec.MsgspecError):
            self.saved = msgspec.json.decode(self._path.read_bytes(), type=Checkpoint)
        self._files.open()
        saved = self.saved
        self._last_time = saved.last_time
        if not saved.inode:
            return True
        if self._files.seek(Position(saved.inode, saved.head, saved.offset)):
            return True
        # Its file was cut or dropped. What is later than the last line handed over is new.
        self.lines = LogLines(LogFilter(since_ns=_after(saved.last_time)))
        return False

    def read(self) -> bytes | None:
        """Return the next block, or None at the present end."""
        while True:
            block = self._files.read_block(self.lines, self._block_bytes)
            if block is not None:
                self._note_time(block)
                return block
            if not self._files.advance():
                return None

    def start_of_file(self, block: bytes) -> Position | None:
        """Return where `block` starts if it is the first of another file and no line goes over."""
        # Called before `lines` has seen the block.
        if self._left == self._files.left or self.lines.rest_bytes != 0:
            return None
        self._left = self._files.left
        return self._files.position(len(block))

    def position(self) -> Position | None:
        """Return the present place, unless it is inside a line."""
        rest = self.lines.rest_bytes
        return None if rest is None else self._files.position(rest)

    def end(self) -> Position | None:
        """Go to the end."""
        self._files.seek_end()
        return self._files.position(0)

    def save(self, position: Position | None, emitted: int, mark: tuple[int, int]) -> None:
        """Write the checkpoint; without a new position the old one stands."""
        saved = self.saved
        if position is not None:
            saved.inode, saved.head, saved.offset = position.inode, position.head, position.offset
        saved.emitted = emitted
        saved.target_inode, saved.target_size = mark
        saved.last_time = self._last_time
        if self._descriptor < 0:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._path, flags, 0o600)
        # In place and in one page, which no kill tears; a rename would wait for the disk.
        content = msgspec.json.encode(saved).ljust(_CHECKPOINT_BYTES)
        if os.pwrite(self._descriptor, content, 0) != len(content):
            raise FaultError(f"the checkpoint {self._path} was written in part")

    def close(self) -> None:
        self._files.close()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _note_time(self, block: bytes) -> None:
        end = block.rfind(b"\n")
        start = block.rfind(b"\n", 0, max(end, 0)) + 1
        time = block[start : start + TIME_END]
        if start and len(time) == TIME_END and time[4:5] == b"-" and time[19:20] == b".":
            self._last_time = time.decode("ascii", "replace")


def _after(time: str) -> int:
    """Return the nanosecond after a time as it stands in the spool; 0 for none."""
    try:
        moment = datetime.fromisoformat(time[:19]).replace(tzinfo=UTC)
        return int(moment.timestamp()) * 10**9 + int(time[20:TIME_END]) + 1
    except ValueError:
        return 0


class FileShipment:
    """Ships a spool to a file, each line exactly once."""

    def __init__(self, spool: Path, target: JsonLog, line_format: JsonFormat) -> None:
        self._spool = spool
        self._target = target
        self._format = line_format
        self._cursor: _Cursor | None = None
        self._position: Position | None = None
        self._emitted = 0
        self._skip = 0

    def ship(self) -> Progress:
        """Hand over the next part."""
        try:
            return self._ship()
        except (OSError, NaruError):
            # How much was written is uncertain now; the next turn counts it.
            self.close()
            raise

    def finish(self) -> None:
        """Hand over all there is, and the line that was never ended."""
        while self.ship() is Progress.MORE:
            pass
        cursor = self._opened()
        if cursor.lines.rest_bytes is None:
            self._append(self._format.records(cursor.lines.finish()))
            self._anchor(cursor)
            self._save(0)

    def respool(self) -> None:
        """Go on from the end of the spool, which was cut anew when everything was handed over."""
        self.close()
        cursor = _Cursor(self._spool)
        cursor.open()
        cursor.save(cursor.end(), 0, self._target.mark)
        cursor.close()

    def close(self) -> None:
        """Close all files. Idempotent."""
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        self._target.close()

    def _ship(self) -> Progress:
        cursor = self._opened()
        is_new = False
        progress = Progress.MORE
        for _ in range(_BLOCKS_PER_TURN):
            block = cursor.read()
            if block is None:
                # Whatever was not made again is not there any more.
                self._skip = 0
                progress = Progress.DONE
                break
            is_new = True
            if (start := cursor.start_of_file(block)) is not None:
                # The file before may go at any time, and must not take the place along.
                self._position, self._emitted = start, 0
                self._save(0)
            self._append(cursor.lines.frames(block, self._format))
            self._anchor(cursor)
        if is_new:
            _AFTER_APPEND()
            self._save(0)
            self._target.pack()
        return progress

    def _opened(self) -> _Cursor:
        if self._cursor is None:
            cursor = _Cursor(self._spool)
            is_found = cursor.open()
            saved = cursor.saved
            mark = (saved.target_inode, saved.target_size)
            self._position, self._emitted = None, 0
            self._skip = saved.emitted + self._target.written_since(mark) if is_found else 0
            self._target.open()
            if not is_found:
                self._target.drop_torn_line()
            self._cursor = cursor
        return self._cursor

    def _append(self, data: bytes) -> None:
        if self._skip:
            known = min(self._skip, len(data))
            self._skip -= known
            self._emitted += known
            data = data[known:]
        if data:
            self._target.append(data, self._save)
            self._emitted += len(data)

    def _anchor(self, cursor: _Cursor) -> None:
        position = cursor.position()
        if position is not None:
            self._position, self._emitted = position, 0

    def _save(self, written: int) -> None:
        if self._cursor is None:
            raise CorruptDataError("a checkpoint without a spool")
        self._cursor.save(self._position, self._emitted + written, self._target.mark)


class RemoteShipment:
    """Ships a spool to a service, each line at least once."""

    def __init__(self, spool: Path, sink: RemoteSink, block_bytes: int = 0) -> None:
        """Ship to `sink`; at most `block_bytes` are in memory, if that is not 0."""
        self._spool = spool
        self._sink = sink
        self._block_bytes = min(block_bytes or _BLOCK_BYTES, _BLOCK_BYTES)
        self._cursor: _Cursor | None = None
        self._waiting: Sequence[Record] = ()
        self._turn = threading.Lock()
        self._is_closed = False

    def ship(self) -> Progress:
        """Hand over the next part."""
        return self._take_turn(self._ship)

    def finish(self) -> Progress:
        """Hand over the line that was never ended, when all else has been."""
        return self._take_turn(self._ship_rest)

    def close(self) -> None:
        """Close all files and the connection, a turn that hangs in one at its end. Idempotent."""
        self._is_closed = True
        if self._turn.acquire(blocking=False):
            try:
                self._let_go()
            finally:
                self._turn.release()

    def _take_turn(self, act: Callable[[_Cursor], Progress]) -> Progress:
        with self._turn:
            try:
                if self._is_closed:
                    return Progress.DONE
                if self._cursor is None:
                    cursor = _Cursor(self._spool, self._block_bytes)
                    cursor.open()
                    self._cursor = cursor
                return act(self._cursor)
            finally:
                if self._is_closed:
                    self._let_go()

    def _let_go(self) -> None:
        if self._cursor is not None:
            self._cursor.close()
            self._cursor = None
        self._waiting = ()
        self._sink.close()

    def _ship(self, cursor: _Cursor) -> Progress:
        if not self._waiting:
            block = cursor.read()
            if block is None:
                return Progress.DONE
            self._waiting = cursor.lines.records(block)
        return self._send(cursor)

    def _ship_rest(self, cursor: _Cursor) -> Progress:
        if not self._waiting and cursor.lines.rest_bytes is not None:
            return Progress.DONE
        self._waiting = [*self._waiting, *cursor.lines.finish()]
        return self._send(cursor)

    def _send(self, cursor: _Cursor) -> Progress:
        sent = self._sink.send(self._waiting)
        self._waiting = self._waiting[sent:]
        if self._waiting:
            return Progress.STUCK
        _AFTER_APPEND()
        position = cursor.position()
        if position is not None and not self._is_closed:
            cursor.save(position, 0, (0, 0))
        return Progress.MORE


Shipment = FileShipment | RemoteShipment
