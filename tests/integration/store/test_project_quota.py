"""Limits of writable layers: where the file system has quotas of projects, and where not."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.requirements import requires
from naru.db.database import Database
from naru.errors import NotFoundError, NotSupportedError
from naru.linux import mount, project_quota
from naru.linux.mount import Mount
from naru.store.native import NativeSnapshotter
from naru.store.overlay import OverlaySnapshotter

pytestmark = requires("root")
_M = 1 << 20
_FILE_SYSTEMS = (
    ("ext4", ["mkfs.ext4", "-q", "-O", "quota,project", "-E", "quotatype=prjquota"], "prjquota"),
    ("xfs", ["mkfs.xfs", "-q"], "pquota"),
)


@pytest.fixture(params=_FILE_SYSTEMS, ids=[name for name, _, _ in _FILE_SYSTEMS])
def disk(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """Give a file system with quotas of projects; without, where this kernel knows of none.

    What ext4 has binds nobody that has CAP_SYS_RESOURCE, such as an overlay's mounter.
    """
    name, program, option = request.param
    image, place = tmp_path / "image", tmp_path / "disk"
    place.mkdir()
    with image.open("wb") as file:
        file.truncate(320 * _M)
    command = ["mount", "-t", name, "-o", f"loop,{option}", str(image), str(place)]
    try:
        subprocess.run([*program, str(image)], check=True, capture_output=True)
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        mount.mount_all([Mount(type="tmpfs", source="tmpfs", data="size=64m")], place)
    yield place
    mount.unmount(place)


def _write(path: Path, size: int) -> int:
    """Write until it is enough or the disk says no; return what was written."""
    written = 0
    with path.open("wb", buffering=0) as file:
        try:
            while written < size:
                written += file.write(bytes(min(_M, size - written)))
        except OSError as error:
            if error.errno not in (errno.EDQUOT, errno.ENOSPC):
                raise
    return written


def test_a_layer_takes_no_more_than_its_limit(disk: Path, tmp_path: Path) -> None:
    snapshots = OverlaySnapshotter(disk / "snapshots", Database(tmp_path / "naru.db"))
    for key in ("small", "large"):
        snapshots.prepare(key, None)
    if not project_quota.is_enforced(disk):
        with pytest.raises(NotSupportedError):
            snapshots.limit("small", 10 * _M)
        snapshots.remove("small")
        return
    snapshots.limit("small", 10 * _M)
    tree, other = (Path(snapshots.mounts(key)[0].source) for key in ("small", "large"))
    (tree / "below").mkdir()
    assert 0 < _write(tree / "below" / "file", 20 * _M) <= 10 * _M
    assert _write(other / "file", 20 * _M) == 20 * _M
    assert os.statvfs(tree).f_bavail * os.statvfs(tree).f_bsize < _M
    # The next one that gets its number has no limit of its own accord.
    snapshots.remove("small")
    snapshots.prepare("again", None)
    assert _write(Path(snapshots.mounts("again")[0].source) / "file", 20 * _M) == 20 * _M


def test_only_a_fresh_snapshot_is_limited(tmp_path: Path) -> None:
    snapshots = OverlaySnapshotter(tmp_path / "snapshots", Database(tmp_path / "naru.db"))
    with pytest.raises(NotFoundError):
        snapshots.limit("nosuch", _M)


def test_copies_have_no_limit(tmp_path: Path) -> None:
    snapshots = NativeSnapshotter(tmp_path / "snapshots", Database(tmp_path / "naru.db"))
    snapshots.prepare("copy", None)
    with pytest.raises(NotSupportedError, match="copied snapshots have no limit"):
        snapshots.limit("copy", _M)


def test_to_let_go_of_what_has_no_limit_is_harmless(tmp_path: Path) -> None:
    project_quota.release(tmp_path)
    project_quota.release(tmp_path / "nosuch")
