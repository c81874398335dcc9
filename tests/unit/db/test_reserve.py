"""Room for the database on a disk that is full."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.disks import small_disk
from harness.requirements import requires
from naru.db import reserve
from naru.db.database import Database
from naru.db.leases import Leases
from naru.db.reserve import SIZE
from naru.errors import FaultError

pytestmark = requires("root")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", "size=32m") as place:
        yield place


def taken(path: Path) -> int:
    return path.stat().st_blocks * 512


def fill(disk: Path, *, leave: int = 0) -> None:
    status = os.statvfs(disk)
    with (disk / "ballast").open("ab") as stream:
        size = stream.tell() + status.f_bavail * status.f_bsize - leave
        os.posix_fallocate(stream.fileno(), 0, size)


def test_the_room_is_there_whether_the_database_is_open_or_closed(disk: Path) -> None:
    database = Database(disk / "naru.db")
    assert taken(disk / "naru.db-wal") >= SIZE
    database.close()
    assert taken(disk / "naru.db-reserve") > SIZE
    assert not (disk / "naru.db-wal").exists()
    fill(disk)
    database = Database(disk / "naru.db")
    assert taken(disk / "naru.db-wal") >= SIZE
    assert not (disk / "naru.db-reserve").exists()
    Leases(database).take("lease", owner="test", expires_ns=1)
    database.close()


def test_without_room_there_is_no_reserve_and_no_failure(disk: Path) -> None:
    fill(disk, leave=1 << 20)
    before = os.statvfs(disk).f_bavail
    reserve.put_aside(disk / "naru.db")
    assert os.statvfs(disk).f_bavail == before
    assert os.listdir(disk) == ["ballast"]
    database = Database(disk / "naru.db")
    Leases(database).take("lease", owner="test", expires_ns=1)
    (disk / "ballast").unlink()
    database.sync()
    assert taken(disk / "naru.db-wal") >= SIZE
    database.close()


def test_what_was_committed_is_there_after_the_log_was_left(disk: Path) -> None:
    database = Database(disk / "naru.db")
    Leases(database).take("kept", owner="test", expires_ns=1)
    copy = disk / "copy"
    copy.mkdir()
    for name in ("naru.db", "naru.db-wal"):
        (copy / name).write_bytes((disk / name).read_bytes())
    after_a_kill = Database(copy / "naru.db")
    assert [lease for lease, _, _ in Leases(after_a_kill).leases()] == ["kept"]
    after_a_kill.close()
    database.close()


def test_rows_are_written_on_a_full_disk_for_a_while(disk: Path) -> None:
    database = Database(disk / "naru.db")
    leases = Leases(database)
    fill(disk)
    for number in range(20):
        leases.take(f"lease{number}", owner="test", expires_ns=number)
    with database.write():
        leases.add("lease1", "blob", "a", "b")
    assert len(leases.leases()) == 20
    database.close()


def test_a_write_that_finds_no_room_says_so_and_leaves_nothing_behind(disk: Path) -> None:
    database = Database(disk / "naru.db")
    leases = Leases(database)
    leases.take("kept", owner="test", expires_ns=1)
    fill(disk)

    def fill_rows() -> None:
        for number in range(5000):
            with database.write():
                leases.take(f"{number}" * 2000, owner="test", expires_ns=1)

    with pytest.raises(FaultError, match="no space left on device") as caught:
        fill_rows()
    assert "full" in caught.value.hint
    before = len(leases.leases())
    (disk / "ballast").unlink()
    leases.take("after", owner="test", expires_ns=1)
    assert len(leases.leases()) == before + 1
    database.close()
