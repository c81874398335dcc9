"""A blob being written: resumable by its key, verified at the end, all or nothing.

An ingest is a directory with the bytes so far and its key. Whatever happens to the process, the
bytes stay until somebody commits, aborts or collects them; the next writer with the same key
goes on behind them. Calls block on the disk and on hashing, which lets other threads run.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from naru.errors import CorruptDataError, FaultError, NaruError
from naru.faults import fault_point
from naru.linux import fs
from naru.oci.digest import Digest, Hasher, algorithm_of

DATA = "data"
KEY = "key"
_READ_SIZE = 1 << 20
_LARGE_WRITE = 64 << 10
# Written back in such steps while more comes, so that little is left to wait for at the end.
_WRITE_BACK_SIZE = 8 << 20
_BEFORE_COMMIT = fault_point("store.ingest.before_commit")
_AFTER_RENAME = fault_point("store.content.after_rename")
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class Ingest:
    """One blob on its way into the store. Made by `ContentStore.ingest`.

    One thread at a time. As a context manager it closes at the end of the block: what was
    neither committed nor aborted stays for a later try.
    """

    def __init__(
        self,
        directory: Path,
        key: str,
        *,
        place: Callable[[Digest], Path],
        on_close: Callable[[], None],
        expected_digest: Digest | None,
        expected_size: int | None,
        durable: bool,
    ) -> None:
        self.key = key
        self.expected_digest = expected_digest
        self.expected_size = expected_size
        self._durable = durable
        self._directory = directory
        self._place = place
        self._on_close = on_close
        self._descriptor = -1
        self._written_back = 0
        self._hasher = Hasher(algorithm_of(expected_digest) if expected_digest else "sha256")
        try:
            self._open()
        except BaseException:
            self.close()
            if read_key(directory) is None:
                # It never began, so there is nothing to go on with.
                fs.remove_tree(directory)
            raise

    def _open(self) -> None:
        try:
            self._directory.mkdir(mode=0o700, exist_ok=True)
            if not (self._directory / KEY).exists():
                fs.write_atomic(self._directory / KEY, self.key, 0o600)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            self._descriptor = os.open(self._directory / DATA, flags, 0o644)
        except OSError as error:
            raise self._failure(error) from error
        size = os.fstat(self._descriptor).st_size
        if self.expected_size is not None and size > self.expected_size:
            self.restart()
            return
        while chunk := os.read(self._descriptor, _READ_SIZE):
            self._hasher.update(chunk)

    @property
    def offset(self) -> int:
        """How many bytes are there: where the next `write` goes on."""
        return self._hasher.size

    @property
    def digest(self) -> Digest:
        """Digest of the bytes so far: what `commit` will name the blob if none follow."""
        return self._hasher.digest()

    def reader(self) -> BinaryIO:
        """Open the bytes so far for reading, unbuffered; what is written later can be read, too.

        It stays readable when the blob is committed, and when the ingest is aborted.
        """
        return open(self._directory / DATA, "rb", buffering=0)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes; 1 MiB and more at once is cheapest.

        Raises:
            CorruptDataError: there are now more than the expected bytes; the ingest is aborted.
            FaultError: the disk is full; the ingest is aborted, which frees the space.
        """
        self.write_all([data])

    def write_all(self, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
        """Append several pieces with one call of the kernel. Raises as `write`."""
        size = sum(map(len, pieces))
        if self.expected_size is not None and self.offset + size > self.expected_size:
            self.abort()
            raise CorruptDataError(f"{self._what()}: more than {self.expected_size} bytes")
        try:
            if size >= _LARGE_WRITE:
                fs.require_room(self._descriptor)
            fs.write_pieces(self._descriptor, pieces)
        except OSError as error:
            if error.errno in _DISK_FULL:
                self.abort()
            raise self._failure(error) from error
        for piece in pieces:
            self._hasher.update(piece)
        if self._durable and self.offset - self._written_back >= _WRITE_BACK_SIZE:
            fs.start_write_back(self._descriptor, self._written_back, self.offset)
            self._written_back = self.offset

    def restart(self) -> None:
        """Forget all bytes so far: the other side cannot resume."""
        os.ftruncate(self._descriptor, 0)
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        self._written_back = 0
        self._hasher = Hasher(self._hasher.algorithm)

    def commit(self) -> Digest:
        """Check size and digest, and move the blob into the store.

        Atomic, durable unless made otherwise, idempotent.

        Raises:
            CorruptDataError: size or digest differ from what was expected; the ingest is
                aborted, since its bytes are worth nothing.
            FaultError: the disk is full or fails.
        """
        if self.expected_size is not None and self.offset != self.expected_size:
            got = self.offset
            self.abort()
            raise CorruptDataError(
                f"{self._what()}: expected {self.expected_size} bytes, got {got}"
            )
        digest = self._hasher.digest()
        if self.expected_digest is not None and digest != self.expected_digest:
            self.abort()
            raise CorruptDataError(f"{self._what()}: expected {self.expected_digest}, got {digest}")
        target = self._place(digest)
        try:
            # What is there already under this name is not put at risk.
            is_synced = self._durable or target.exists()
            if is_synced:
                os.fsync(self._descriptor)
            _BEFORE_COMMIT()
            os.rename(self._directory / DATA, target)
            _AFTER_RENAME()
            if is_synced:
                fs.fsync_dir(target.parent)
        except OSError as error:
            raise self._failure(error) from error
        self.close()
        fs.remove_tree(self._directory)
        return digest

    def abort(self) -> None:
        """Give up and delete the bytes. Idempotent."""
        self.close()
        fs.remove_tree(self._directory)

    def close(self) -> None:
        """Let go, and keep the bytes for the next try. Idempotent."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        on_close, self._on_close = self._on_close, lambda: None
        on_close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _what(self) -> str:
        return f"blob {self.expected_digest}" if self.expected_digest else f"ingest {self.key}"

    def _failure(self, error: OSError) -> NaruError:
        """Say what failed and where, in the words that Docker's users know."""
        path = self._directory / DATA
        reason = os.strerror(error.errno or errno.EIO).lower()
        hint = ""
        if error.errno in _DISK_FULL:
            hint = f"the disk of {self._directory.parent} is full; remove images or add space"
        return FaultError(f"write {path}: {reason}", hint=hint)


def directory_name(key: str) -> str:
    """Return how the directory of the ingest with this key is called."""
    # Keys are of any length and hold any characters.
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def read_key(directory: Path) -> str | None:
    """Return the key of an ingest's directory; None if it holds nothing to resume.

    That is also what a power cut leaves, if the key had not reached the disk.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        if stat.S_ISREG((directory / DATA).lstat().st_mode):
            key = (directory / KEY).read_text(encoding="utf-8")
            if directory.name == directory_name(key):
                return key
    return None
