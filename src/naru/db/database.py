"""The engine's one SQLite file: opening it, migrating it, writing to it.

Owns the connection; the modules beside it own the tables and their SQL. One process writes, and
inside it one transaction at a time. All calls are short, so they run on the loop's own thread
or on any worker thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from naru.db import reserve
from naru.errors import CorruptDataError, FaultError


def _nobody() -> None:
    """Hear of a commit, and do nothing."""


class Database:
    """A connection that several threads share, one at a time."""

    def __init__(self, path: Path | str) -> None:
        """Open or make the file, and bring its tables up to date.

        Raises:
            CorruptDataError: the file is no database, or one of a newer Naru.
        """
        self._lock = threading.RLock()
        self._depth = 0
        # Hears of each commit, in the thread that made it; it must be quick.
        self.on_commit: Callable[[], None] = _nobody
        self._path = Path(path)
        self._log = Path(f"{path}-wal")
        try:
            reserve.put_in_place(self._path)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.row_factory = sqlite3.Row
            # WAL with NORMAL loses nothing when the process dies, which is the crash that this
            # engine is built for; after a power cut the last transactions may be missing, the
            # file is whole, and reconciliation mends the rest. What must not be lost calls `sync`,
            # and `naru.db.row_sync` does so for the rest.
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute("PRAGMA foreign_keys = ON")
            self._connection.execute("PRAGMA busy_timeout = 5000")
            self._migrate()
        except sqlite3.DatabaseError as error:
            raise CorruptDataError(f"state database {path}: {error}") from error
        reserve.take(self._path)

    def close(self) -> None:
        """Close the file. Harmless when called twice."""
        with self._lock:
            self._connection.close()
            reserve.put_aside(self._path)

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """Make the block one transaction: all of it is written, or nothing.

        Blocks nest; the outermost one commits.
        """
        with self._lock:
            if self._depth == 0:
                self._run("BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth == 0:
                    self._roll_back()
                raise
            self._depth -= 1
            if self._depth == 0:
                try:
                    self._run("COMMIT")
                except BaseException:
                    self._roll_back()
                    raise
                self.on_commit()

    def _roll_back(self) -> None:
        # Some failures have rolled back already.
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _run(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Run one statement.

        Raises:
            FaultError: the disk is full or fails.
        """
        try:
            return self._connection.execute(sql, parameters)
        except sqlite3.OperationalError as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.OperationalError) -> FaultError:
        if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
            hint = f"the disk of {self._path} is full; remove images or add space"
            return FaultError(f"write {self._path}: no space left on device", hint=hint)
        return FaultError(f"state database {self._path}: {error}")

    @property
    def changes(self) -> int:
        """How many rows were written so far: while it stays the same, so do all rows."""
        return self._connection.total_changes

    def sync(self) -> None:
        """Make all that is committed survive a power cut. Takes milliseconds: not for the loop.

        Takes the room that writes need on a full disk, if there was too little of it before.

        Raises:
            FaultError: the disk failed.

        Spec: sqlite.org/wal.html; what is committed is whole once its log is on the disk.
        """
        reserve.take(self._path)
        try:
            descriptor = os.open(self._log, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            # Nothing was written since the file was opened.
            return
        try:
            # The data, and a length that has grown: times of the file are of no use.
            os.fdatasync(descriptor)
        except OSError as error:
            raise FaultError(f"sync {self._log}: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement and return how many rows it changed.

        Raises:
            FaultError: the disk is full or fails.
        """
        with self._lock:
            count = self._run(sql, parameters).rowcount
            if self._depth == 0:
                self.on_commit()
            return count

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Return all rows of a query; columns are found by name."""
        with self._lock:
            return self._run(sql, parameters).fetchall()

    def row(self, sql: str, parameters: Sequence[Any] = ()) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(sql, parameters)
        return found[0] if found else None

    def _migrate(self) -> None:
        """Apply the migrations that the file has not seen, each in one transaction."""
        done = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
        scripts = sorted(
            (
                entry
                for entry in resources.files("naru.db.migrations").iterdir()
                if entry.name.endswith(".sql")
            ),
            key=lambda entry: entry.name,
        )
        if done > len(scripts):
            raise CorruptDataError(
                f"state database has version {done}, this engine knows {len(scripts)}",
                hint="run the newer engine, or point --data-root elsewhere",
            )
        for number, script in enumerate(scripts[done:], start=done + 1):
            self._connection.executescript(
                f"BEGIN; {script.read_text(encoding='utf-8')}; PRAGMA user_version = {number}; COMMIT"
            )
