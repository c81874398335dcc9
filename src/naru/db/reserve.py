"""Room on the disk that is kept for the database: removing things writes rows, too.

On a disk that is full nothing could be removed any more, since SQLite appends even deletions to
its log. So the log has room beyond its end from the start, which nobody else can take. SQLite
ignores what is behind the last whole frame, and deletes the log when the database is closed; then
a file of its own holds the room until the next engine makes the log of it.

Spec: sqlite.org/fileformat2.html §4, The Write-Ahead Log.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SIZE = 6 << 20
"""Bytes. SQLite begins its log again after about four million."""
_INDEX_SIZE = 1 << 18
"""Bytes. More than the index of the log takes, which SQLite makes when it opens a database."""


def put_in_place(database: Path) -> None:
    """Make the log of the room that was put aside, before a database is opened. Idempotent."""
    log = _log(database)
    # Beside a database that is empty, SQLite takes a log for a leftover.
    if log.exists() or not database.exists() or not database.stat().st_size:
        _aside(database).unlink(missing_ok=True)
        return
    with contextlib.suppress(FileNotFoundError):
        _aside(database).rename(log)
        os.truncate(log, SIZE)


def take(database: Path) -> bool:
    """Give the log of an open database its room; False if the disk has not as much left."""
    return _allocate(_log(database), os.O_WRONLY, SIZE)


def put_aside(database: Path) -> None:
    """Hold the room while the database is closed, if the disk has as much. Idempotent."""
    aside = _aside(database)
    if not _allocate(aside, os.O_WRONLY | os.O_CREAT, SIZE + _INDEX_SIZE):
        aside.unlink(missing_ok=True)


def _log(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def _aside(database: Path) -> Path:
    return database.with_name(f"{database.name}-reserve")


def _allocate(path: Path, flags: int, wanted: int) -> bool:
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        size = os.fstat(descriptor).st_size
        if size < wanted:
            try:
                os.posix_fallocate(descriptor, 0, wanted)
            except OSError:
                os.ftruncate(descriptor, size)
                return False
        return True
    finally:
        os.close(descriptor)
