"""A bounded pipe of byte pieces between threads, with failures travelling both ways.

The writer learns that its reader is gone, the reader learns that its writer failed; neither
waits for ever. Pieces are handed on, not copied; large ones keep the hand-over cheap.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence

from naru.errors import FaultError, NaruError

_CAPACITY = 8 << 20


class PipeClosedError(FaultError):
    """The other end is gone: stop quietly, it has its own reason to tell."""


class WriterFailedError(FaultError):
    """The writer ended in the middle: what was to be read is cut off, not wrong."""


class Pipe:
    """One writing thread, one reading thread."""

    def __init__(self, capacity: int = _CAPACITY) -> None:
        """Make a pipe that is full with `capacity` bytes; the last piece may reach beyond."""
        self._pieces: deque[bytes | memoryview] = deque()
        self._capacity = capacity
        self._held = 0
        self._changed = threading.Condition()
        self._ended = False
        self._reader_gone = False
        self._failure: BaseException | None = None
        self._current = memoryview(b"")

    def try_put(self, *pieces: bytes | memoryview) -> bool:
        """Add pieces if there is room, without waiting; say whether they were added.

        Raises:
            PipeClosedError: nobody reads any more.
        """
        with self._changed:
            if self._reader_gone:
                raise PipeClosedError("nobody reads")
            if self._held >= self._capacity:
                return False
            self._append(pieces)
            return True

    def put(self, *pieces: bytes | memoryview) -> None:
        """Add pieces, waiting for room. They must not change afterwards.

        Raises:
            PipeClosedError: nobody reads any more.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._reader_gone or self._held < self._capacity)
            if self._reader_gone:
                raise PipeClosedError("nobody reads")
            self._append(pieces)

    def _append(self, pieces: Sequence[bytes | memoryview]) -> None:
        for piece in pieces:
            if len(piece):
                self._pieces.append(piece)
                self._held += len(piece)
        self._changed.notify_all()

    def end(self, failure: BaseException | None = None) -> None:
        """Close the writing end: the reader gets what is there, then the end or `failure`.

        Idempotent; the first call counts.
        """
        with self._changed:
            if not self._ended:
                self._ended, self._failure = True, failure
                self._changed.notify_all()

    def abandon(self) -> None:
        """Close the reading end: the writer's next `put` fails. Idempotent."""
        with self._changed:
            self._reader_gone = True
            self._pieces.clear()
            self._held = 0
            self._changed.notify_all()

    def read_piece(self) -> memoryview:
        """Return the rest of the current piece or the next one; empty at the end.

        Raises:
            NaruError: what the writer ended with.
        """
        if len(self._current):
            piece, self._current = self._current, memoryview(b"")
            return piece
        with self._changed:
            self._changed.wait_for(lambda: self._pieces or self._ended)
            if self._pieces:
                piece = memoryview(self._pieces.popleft())
                was_full = self._held >= self._capacity
                self._held -= len(piece)
                if was_full:
                    self._changed.notify_all()
                return piece
            if isinstance(self._failure, NaruError):
                raise self._failure
            if self._failure is not None:
                raise WriterFailedError(f"the writer failed: {self._failure}") from self._failure
            return memoryview(b"")

    def read(self, count: int, /) -> bytes:
        """Return 1 to `count` bytes; nothing at the end. Raises as `read_piece`."""
        piece = self.read_piece()
        if len(piece) > count:
            self._current = piece[count:]
            piece = piece[:count]
        elif isinstance(piece.obj, bytes) and len(piece.obj) == len(piece):
            return piece.obj
        return bytes(piece)


@contextlib.contextmanager
def written_by(produce: Callable[[Pipe], None], name: str) -> Iterator[Pipe]:
    """Yield a pipe that `produce` writes in a thread of its own, which has ended afterwards.

    What `produce` raises is raised where the pipe is read. It need not end the pipe.
    """
    pipe = Pipe()

    def run() -> None:
        try:
            produce(pipe)
            pipe.end()
        except PipeClosedError:
            # The other side failed, and tells why.
            return
        except Exception as error:  # noqa: BLE001 - it is raised where the pipe is read
            pipe.end(error)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    try:
        yield pipe
    finally:
        pipe.abandon()
        thread.join()
