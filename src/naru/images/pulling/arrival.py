"""A blob on its way from a registry, read by others while it comes.

Whoever fetches tells how far the file has grown; readers take it from the file, so that a slow
reader holds up no download, and what an earlier try left is read like all the rest.
"""

from __future__ import annotations

import os
import threading
from typing import BinaryIO

from naru.errors import FaultError, NaruError


class Arrival:
    """One fetch of one blob. The fetcher calls from one thread; every reader has its own."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._file: BinaryIO | None = None
        self._size = 0
        self._ended = False
        self._failure: BaseException | None = None

    def begin(self, file: BinaryIO, size: int) -> None:
        """Say where the bytes go, and how many are there already. Takes the file over."""
        with self._changed:
            self._file, self._size = file, size
            self._changed.notify_all()

    def grow(self, size: int) -> None:
        """Say how many bytes are there."""
        with self._changed:
            self._size = size
            self._changed.notify_all()

    def end(self, failure: BaseException | None = None) -> None:
        """Say that no more bytes follow; with `failure`, that they are of no use.

        Idempotent; the first call counts.
        """
        with self._changed:
            if not self._ended:
                self._ended, self._failure = True, failure
                self._changed.notify_all()

    @property
    def has_failed(self) -> bool:
        """Say whether the fetch ended with a failure."""
        return self._failure is not None

    def close(self) -> None:
        """Let go of the file. Nobody may read any more."""
        self.end(FaultError("the blob is not wanted any more"))
        if self._file is not None:
            self._file.close()

    def reader(self) -> ArrivalReader:
        """Return a reader that begins with the first byte."""
        return ArrivalReader(self)

    def read_at(self, position: int, count: int) -> bytes:
        """Return 1 to `count` bytes, waiting for them; nothing at the end.

        Raises:
            NaruError: what the fetch ended with.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._ended or self._size > position)
            if isinstance(self._failure, NaruError):
                raise self._failure
            if self._failure is not None:
                raise FaultError("the fetch of the blob was given up") from self._failure
            available = min(count, self._size - position)
            file = self._file
        if available <= 0 or file is None:
            return b""
        return os.pread(file.fileno(), available, position)


class ArrivalReader:
    """The bytes of an arrival in order."""

    def __init__(self, arrival: Arrival) -> None:
        self._arrival = arrival
        self._position = 0

    def read(self, count: int, /) -> bytes:
        """See `Arrival.read_at`."""
        data = self._arrival.read_at(self._position, count)
        self._position += len(data)
        return data
