"""Snapshots and limits where the file system helps, and after a kill."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.disks import small_disk
from harness.requirements import requires
from naru.clock import SystemClock
from naru.db.database import Database
from naru.errors import ConflictError, FaultError, InvalidInputError, NotFoundError
from naru.linux import project_quota
from naru.linux.mount import Mount, mount_all, unmount
from naru.volumes.volumes import Volumes

pytestmark = requires("root")
_M = 1 << 20
_FICLONE = 0x40049409


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system that shares blocks, with quotas if this kernel has them for it.

    Without the program or the kernel for it, one that does neither.
    """
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(320 * _M)
    commands = [
        ["mount", "-t", "xfs", "-o", options, str(image), str(place)]
        for options in ("loop,pquota", "loop")
    ]
    try:
        subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
        if not any(subprocess.run(one, check=False).returncode == 0 for one in commands):
            raise OSError("no XFS here")
    except (OSError, subprocess.CalledProcessError):
        mount_all([Mount("tmpfs", "tmpfs", data="size=320m")], place)
    yield place
    unmount(place)


def _shares_blocks(disk: Path) -> bool:
    with (disk / "one").open("w+b") as one, (disk / "two").open("wb") as two:
        one.write(bytes(4096))
        one.flush()
        try:
            fcntl.ioctl(two, _FICLONE, one.fileno())
        except OSError:
            return False
    return True


def _volumes(root: Path, database: str = "") -> Volumes:
    made = Volumes(root / "volumes", Database(database or root / "naru.db"), SystemClock())
    made.repair()
    return made


def _content(volumes: Volumes, name: str) -> Path:
    place = volumes.create(name).mountpoint
    assert place is not None
    return place


def _used(disk: Path) -> int:
    os.sync()
    status = os.statvfs(disk)
    return (status.f_blocks - status.f_bfree) * status.f_frsize


def test_a_snapshot_shares_its_blocks_where_the_file_system_can(disk: Path) -> None:
    volumes = _volumes(disk, ":memory:")
    content = _content(volumes, "data")
    data = os.urandom(64 * _M)
    (content / "large").write_bytes(data)
    cost = 0 if _shares_blocks(disk) else 64 * _M
    before = _used(disk)
    taken = volumes.snapshots.take("data", "one")
    assert taken.size_bytes == 64 * _M
    assert cost <= _used(disk) - before < cost + 8 * _M
    with (content / "large").open("r+b") as file:
        file.write(b"changed")
    volumes.snapshots.restore("data", "one")
    assert cost <= _used(disk) - before < cost + 8 * _M
    assert (content / "large").read_bytes() == data


def test_holes_stay_holes(tmp_path: Path) -> None:
    volumes = _volumes(tmp_path)
    content = _content(volumes, "data")
    with (content / "sparse").open("wb") as file:
        for offset in (10, 30):
            file.seek(offset * _M)
            file.write(b"data")
        file.truncate(64 * _M)
    (content / "hole").touch()
    os.truncate(content / "hole", 8 * _M)
    before = (content / "sparse").read_bytes()
    volumes.snapshots.take("data", "one")
    volumes.snapshots.restore("data", "one")
    for name in ("sparse", "hole"):
        assert (content / name).stat().st_blocks * 512 < _M
    assert (content / "sparse").read_bytes() == before
    assert (content / "hole").stat().st_size == 8 * _M


def test_a_limit_is_kept_by_the_file_system_or_refused_in_dockers_words(disk: Path) -> None:
    volumes = _volumes(disk, ":memory:")
    options = {"size": "10m"}
    if not project_quota.is_enforced(disk):
        with pytest.raises(InvalidInputError) as caught:
            volumes.create("small", options=options)
        assert caught.value.message == ("create small: quota size requested but no quota support")
        assert volumes.list() == []
        return
    path = volumes.create("small", options=options).mountpoint
    assert path is not None
    with pytest.raises(OSError, match=str(os.strerror(errno.ENOSPC))):
        (path / "file").write_bytes(bytes(20 * _M))
    (path / "file").write_bytes(bytes(8 * _M))
    volumes.snapshots.take("small", "one")
    volumes.snapshots.restore("small", "one")
    with pytest.raises(OSError, match=str(os.strerror(errno.ENOSPC))):
        (path / "more").write_bytes(bytes(8 * _M))
    with pytest.raises(FaultError):
        volumes.replace_content(
            "small", lambda fresh: _write(fresh / "file", 20 * _M), if_empty=False
        )
    assert (path / "file").stat().st_size == 8 * _M
    volumes.remove("small")


def _write(path: Path, size: int) -> None:
    path.write_bytes(bytes(size))


def test_a_limit_that_is_no_size_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"^create data: invalid size: 'much'$"):
        _volumes(tmp_path).create("data", options={"size": "much"})


@pytest.mark.parametrize(
    ("point", "code", "snapshots", "content"),
    [
        ("volumes.snapshot.copied", "v.snapshots.take('data', 'two')", ["one"], "new"),
        ("volumes.snapshot.leaving", "v.snapshots.remove('data', 'one')", [], "new"),
        ("volumes.replace.filled", "v.snapshots.restore('data', 'one')", ["one"], "new"),
        ("volumes.replace.exchanged", "v.snapshots.restore('data', 'one')", ["one"], "old"),
    ],
)
def test_after_a_kill_there_is_all_or_nothing(
    tmp_path: Path, point: str, code: str, snapshots: list[str], content: str
) -> None:
    volumes = _volumes(tmp_path)
    folder = _content(volumes, "data")
    (folder / "file").write_text("old")
    volumes.snapshots.take("data", "one")
    (folder / "file").write_text("new")
    program = (
        "import sys; from pathlib import Path; from naru.clock import SystemClock;"
        "from naru.db.database import Database; from naru.volumes.volumes import Volumes;"
        "root = Path(sys.argv[1]);"
        f"v = Volumes(root / 'volumes', Database(root / 'naru.db'), SystemClock()); {code}"
    )
    killed = subprocess.run(
        [sys.executable, "-c", program, tmp_path],
        env={**os.environ, "NARU_FAULT": f"{point}=kill"},
        check=False,
    )
    assert killed.returncode == -9
    volumes = _volumes(tmp_path)
    assert [one.name for one in volumes.snapshots.list("data")] == snapshots
    assert (folder / "file").read_text() == content
    assert sorted(os.listdir(folder.parent)) == ["_data", "_snapshots"]
    assert sorted(os.listdir(folder.parent / "_snapshots")) == snapshots


def test_a_full_disk_leaves_no_snapshot_and_the_old_content(tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "size=3m") as small:
        volumes = _volumes(small, ":memory:")
        folder = _content(volumes, "data")
        (folder / "file").write_bytes(os.urandom(2 * _M))
        with pytest.raises(FaultError, match="take snapshot one of volume data: no space left"):
            volumes.snapshots.take("data", "one")
        assert volumes.snapshots.list("data") == []
        assert os.listdir(folder.parent / "_snapshots") == []
        with pytest.raises(FaultError, match="fill volume data: no space left"):
            volumes.replace_content(
                "data", lambda fresh: _write(fresh / "x", 2 * _M), if_empty=False
            )
        assert os.listdir(folder) == ["file"]
        assert sorted(os.listdir(folder.parent)) == ["_data", "_snapshots"]


def test_while_a_volume_is_replaced_nobody_can_use_it(tmp_path: Path) -> None:
    volumes = _volumes(tmp_path)
    _content(volumes, "data")

    def fill(fresh: Path) -> None:
        for use in (
            lambda: volumes.uses.mount("data", "me"),
            lambda: volumes.snapshots.take("data", "one"),
            lambda: volumes.remove("data"),
        ):
            with pytest.raises(ConflictError, match="volume data is being copied or replaced"):
                use()
        (fresh / "new").touch()

    volumes.replace_content("data", fill)
    assert os.listdir(volumes.uses.mount("data", "me")) == ["new"]
    with pytest.raises(ConflictError, match=r"^volume is in use - \[me\]$"):
        volumes.snapshots.restore("data", "one")
    with pytest.raises(NotFoundError):
        volumes.snapshots.take("nosuch", "one")
