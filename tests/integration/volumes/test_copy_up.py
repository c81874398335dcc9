"""An empty volume gets what the image has where it is mounted."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.disks import small_disk
from harness.requirements import requires
from naru import faults
from naru.errors import FaultError
from naru.linux.mount import Mount, mount_all, unmount
from naru.volumes.copy_up import copy_up, finish_copy_up

pytestmark = requires("root")


@pytest.fixture
def rootfs(tmp_path: Path) -> Path:
    """Give an image's root with one of everything in /data."""
    root = tmp_path / "rootfs"
    data = root / "data"
    (data / "dir" / "inner").mkdir(parents=True)
    (data / "file").write_bytes(os.urandom(100_000))
    (data / "dir" / "inner" / "other").write_text("other")
    os.link(data / "file", data / "dir" / "same")
    (data / "link").symlink_to("/etc/passwd")
    (data / "dangling").symlink_to("nowhere")
    os.mkfifo(data / "fifo")
    os.mknod(data / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.setxattr(data / "file", "user.note", b"kept")
    os.setxattr(data, "user.top", b"too")
    os.chown(data / "file", 1000, 1001)
    (data / "file").chmod(0o4755)
    os.chown(data / "link", 7, 8, follow_symlinks=False)
    os.chown(data, 33, 44)
    data.chmod(0o1777)
    os.utime(data / "dir" / "inner", ns=(10**18, 10**18 + 1))
    os.utime(data / "dir", ns=(10**18, 10**18 + 2))
    server = socket.socket(socket.AF_UNIX)
    os.chdir(data)
    try:
        server.bind("socket")
    finally:
        os.chdir("/")
        server.close()
    return root


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    path = tmp_path / "volumes" / "v" / "_data"
    path.mkdir(parents=True)
    return path


def test_everything_that_belongs_to_a_file_is_kept(rootfs: Path, volume: Path) -> None:
    assert copy_up(rootfs, "/data", volume, volume.parent)
    data = rootfs / "data"
    assert sorted(os.listdir(volume)) == sorted(set(os.listdir(data)) - {"socket"})
    assert (volume / "file").read_bytes() == (data / "file").read_bytes()
    assert (volume / "file").stat().st_ino == (volume / "dir" / "same").stat().st_ino
    assert os.readlink(volume / "link") == "/etc/passwd"
    assert os.getxattr(volume / "file", "user.note") == b"kept"
    assert os.getxattr(volume, "user.top") == b"too"
    assert (volume / "null").stat().st_rdev == os.makedev(1, 3)
    for name in (".", "file", "link", "dangling", "fifo", "null", "dir", "dir/inner"):
        old, new = (data / name).lstat(), (volume / name).lstat()
        assert (old.st_mode, old.st_uid, old.st_gid) == (new.st_mode, new.st_uid, new.st_gid), name
        assert old.st_mtime_ns == new.st_mtime_ns, name
    assert os.listdir(volume.parent) == ["_data"]


def test_a_volume_with_anything_in_it_stays_as_it_is(rootfs: Path, volume: Path) -> None:
    (volume / "mine").write_text("x")
    before = volume.stat()
    assert not copy_up(rootfs, "/data", volume, volume.parent)
    assert os.listdir(volume) == ["mine"]
    assert volume.stat().st_mode == before.st_mode


@pytest.mark.parametrize("place", ["/absent", "/data/file", "/loop", "/outside/etc"])
def test_a_place_without_a_directory_leaves_the_volume_empty(
    rootfs: Path, volume: Path, place: str
) -> None:
    (rootfs / "loop").symlink_to("loop")
    (rootfs / "outside").symlink_to("../../../../../../..")
    assert not copy_up(rootfs, place, volume, volume.parent)
    assert os.listdir(volume) == []


def test_a_link_cannot_lead_out_of_the_image(rootfs: Path, volume: Path) -> None:
    (rootfs / "etc").mkdir()
    (rootfs / "etc" / "mine").write_text("image's")
    (rootfs / "where").symlink_to("../../../../../../../etc")
    assert copy_up(rootfs, "/where", volume, volume.parent)
    assert os.listdir(volume) == ["mine"]


def test_a_volume_that_is_a_mount_is_filled_too(rootfs: Path, volume: Path) -> None:
    mount_all([Mount("tmpfs", "tmpfs")], volume)
    try:
        assert copy_up(rootfs, "/data", volume, volume.parent)
        assert (volume / "dir" / "inner" / "other").read_text() == "other"
        assert volume.stat().st_mode & 0o7777 == 0o1777
        assert sorted(os.listdir(volume.parent)) == ["_data"]
    finally:
        unmount(volume)
    assert os.listdir(volume) == []


@pytest.mark.parametrize("step", ["half", "whole", "moving"])
def test_a_copy_cut_short_by_a_kill_is_dropped_or_completed(
    rootfs: Path, volume: Path, step: str
) -> None:
    code = (
        "import sys; from pathlib import Path; from naru.volumes.copy_up import copy_up;"
        "volume = Path(sys.argv[2]); copy_up(Path(sys.argv[1]), '/data', volume, volume.parent)"
    )
    killed = subprocess.run(
        [sys.executable, "-c", code, str(rootfs), str(volume)],
        env={**os.environ, "NARU_FAULT": f"volumes.copy_up.{step}=kill"},
        check=False,
    )
    assert killed.returncode == -9
    finish_copy_up(volume, volume.parent)
    assert os.listdir(volume.parent) == ["_data"]
    assert bool(os.listdir(volume)) == (step != "half")
    copy_up(rootfs, "/data", volume, volume.parent)
    assert len(os.listdir(volume)) == len(os.listdir(rootfs / "data")) - 1
    assert volume.stat().st_mode & 0o7777 == 0o1777


def test_a_copy_that_fails_leaves_the_volume_empty(rootfs: Path, volume: Path) -> None:
    faults.arm("volumes.copy_up.half", "raise")
    with pytest.raises(FaultError):
        copy_up(rootfs, "/data", volume, volume.parent)
    assert os.listdir(volume) == []
    assert copy_up(rootfs, "/data", volume, volume.parent)


def test_a_full_disk_is_said_and_leaves_nothing(rootfs: Path, tmp_path: Path) -> None:
    with small_disk(tmp_path / "small", "size=64k") as small:
        volume = small / "v" / "_data"
        volume.mkdir(parents=True)
        with pytest.raises(FaultError, match="into volume v: no space left on device"):
            copy_up(rootfs, "/data", volume, volume.parent)
        assert os.listdir(volume) == []
        assert os.listdir(volume.parent) == ["_data"]
