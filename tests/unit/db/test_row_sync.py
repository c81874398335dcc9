"""Commits that nobody waits for are on the disk soon."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.db.database import Database
from naru.db.row_sync import RowSync
from naru.errors import FaultError


class Watched(Database):
    """A database that counts how often it was synced, and may fail to."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.synced = threading.Semaphore(0)
        self.fails = False

    def sync(self) -> None:
        self.synced.release()
        if self.fails:
            raise FaultError("sync: no disk")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Watched]:
    database = Watched(tmp_path / "naru.db")
    rows = RowSync(database, delay_s=0.01)
    rows.start()
    yield database
    rows.close()
    rows.close()
    database.close()


def _write(database: Database) -> None:
    database.execute(
        "INSERT OR REPLACE INTO leases (lease_id, owner, expires_ns) VALUES ('a', 'b', 1)"
    )


def test_a_statement_of_its_own_is_synced(database: Watched) -> None:
    _write(database)
    assert database.synced.acquire(timeout=5)


def test_a_transaction_is_synced_once_it_is_committed(database: Watched) -> None:
    with database.write():
        _write(database)
        assert not database.synced.acquire(timeout=0.1)
    assert database.synced.acquire(timeout=5)


def test_nothing_is_synced_for_who_only_reads(database: Watched) -> None:
    database.rows("SELECT * FROM leases")
    assert not database.synced.acquire(timeout=0.1)


def test_a_disk_that_fails_is_tried_again(
    database: Watched, caplog: pytest.LogCaptureFixture
) -> None:
    database.fails = True
    _write(database)
    assert database.synced.acquire(timeout=5)
    _write(database)
    assert database.synced.acquire(timeout=5)
    assert "no disk" in caplog.text
