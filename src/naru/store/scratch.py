"""A file without a name on the store's disk: gone when it is closed, or when the engine is killed."""

from __future__ import annotations

import errno
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from naru.errors import FaultError, NaruError
from naru.linux import fs

_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Scratch:
    """Bytes that are of use for a while. One thread writes; any may read what is there."""

    def __init__(self, folder: Path) -> None:
        """Make the file.

        Raises:
            FaultError: the disk fails.
        """
        self._folder = folder
        self.size = 0
        try:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115 - closed below
        except OSError as error:
            raise self._failure(error) from error

    def write(self, data: bytes) -> None:
        """Append bytes.

        Raises:
            FaultError: the disk is full or fails.
        """
        try:
            fs.write_all(self._file.fileno(), data)
        except OSError as error:
            raise self._failure(error) from error
        self.size += len(data)

    def read(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`; none at the end.

        Raises:
            FaultError: the disk fails.
        """
        try:
            return os.pread(self._file.fileno(), count, offset)
        except OSError as error:
            raise self._failure(error) from error

    def close(self) -> None:
        """Give the space back. Idempotent."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _failure(self, error: OSError) -> NaruError:
        """Say what failed and where, in the words that Docker's users know."""
        reason = os.strerror(error.errno or errno.EIO).lower()
        hint = ""
        if error.errno in _DISK_FULL:
            hint = f"the disk of {self._folder} is full; remove images or add space"
        return FaultError(f"write {self._folder}: {reason}", hint=hint)
