"""A blob on its way into the store, read by others while it comes.

Whoever brings it tells how far the file has grown; readers take it from the file, so that a slow
reader holds up nobody, and what an earlier try left is read like all the rest.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO

from naru.errors import FaultError, NaruError

ENDED, FAILED = 1 << 61, 1 << 62
"""What `counted_by` adds besides bytes: no more follow, and: what came is of no use."""


class Arrival:
    """One way in of one blob. Who brings it calls from one thread; every reader has its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._file: BinaryIO | None = None
        self._size = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._counters: dict[int, int] = {}

    def begin(self, file: BinaryIO, size: int) -> None:
        """Say where the bytes go, and how many are there already. Takes the file over."""
        with self._changed:
            self._file, self._size = file, size
            self._tell()

    def grow(self, size: int) -> None:
        """Say how many bytes are there."""
        with self._changed:
            self._size = size
            self._tell()

    def end(self, failure: BaseException | None = None) -> None:
        """Say that no more bytes follow; with `failure`, that they are of no use.

        Idempotent; the first call counts.
        """
        with self._changed:
            if not self._ended:
                self._ended, self._failure = True, failure
                self._tell()
                for counter in self._counters:
                    os.eventfd_write(counter, FAILED if failure else ENDED)

    def _tell(self) -> None:
        self._changed.notify_all()
        for counter, counted in self._counters.items():
            if self._size > counted:
                os.eventfd_write(counter, self._size - counted)
                self._counters[counter] = self._size

    @property
    def has_failed(self) -> bool:
        """Say whether it ended with a failure."""
        return self._failure is not None

    def close(self) -> None:
        """Let go of the file. Nobody may read any more."""
        self.end(FaultError("the blob is not wanted any more"))
        if self._file is not None:
            self._file.close()

    def reader(self, moved: Callable[[int], object] | None = None) -> ArrivalReader:
        """Return a reader that begins with the first byte, and tells `moved` how far it is."""
        return ArrivalReader(self, moved)

    def wait_beyond(self, size: int) -> int:
        """Wait until more than `size` bytes are there, or the last; return how many are.

        Raises:
            NaruError: what it ended with.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._size > size)
            self.raise_failure()
            return self._size

    def raise_failure(self) -> None:
        """Raise what it ended with, if that was a failure."""
        if isinstance(self._failure, NaruError):
            raise self._failure
        if self._failure is not None:
            raise FaultError("the blob was given up on its way") from self._failure

    def read_at(self, position: int, count: int) -> bytes:
        """Return 1 to `count` bytes, waiting for them; nothing at the end.

        Raises:
            NaruError: what it ended with.
        """
        available = min(count, self.wait_beyond(position) - position)
        if available <= 0 or self._file is None:
            return b""
        return os.pread(self._file.fileno(), available, position)

    @contextlib.contextmanager
    def counted_by(self, counter: int) -> Iterator[None]:
        """Add to an eventfd what comes, in bytes, and `ENDED` or `FAILED` at last.

        For another process, which is given a descriptor of the file as well. Writing to it keeps
        nobody waiting, and what was not read yet adds up. From a file that shrinks meanwhile
        nothing is taken back.
        """
        with self._changed:
            self._counters[counter] = 0
            self._tell()
            if self._ended:
                os.eventfd_write(counter, FAILED if self._failure else ENDED)
        try:
            yield
        finally:
            with self._changed:
                del self._counters[counter]

    def descriptor(self) -> int:
        """Return the file's descriptor, when there is a byte in it or it stays empty.

        It stays open until `close`. Read with pread(2) only: its position is everybody's.

        Raises:
            NaruError: what it ended with.
        """
        self.wait_beyond(0)
        assert self._file is not None
        return self._file.fileno()


class ArrivalReader:
    """The bytes of an arrival in order."""

    def __init__(self, arrival: Arrival, moved: Callable[[int], object] | None) -> None:
        self._arrival = arrival
        self._moved = moved
        self._position = 0

    def read(self, count: int, /) -> bytes:
        """See `Arrival.read_at`; what `moved` raises is raised here, too."""
        data = self._arrival.read_at(self._position, count)
        self._position += len(data)
        if data and self._moved:
            self._moved(self._position)
        return data
