"""Roots whose files belong to a user namespace: mapped layer by layer, unchanged on disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.requirements import requires
from naru.db.database import Database
from naru.errors import FaultError, NotSupportedError
from naru.linux import mapped_mounts, mount, mountinfo, process, user_namespaces
from naru.linux.mapped_mounts import MappedTo
from naru.linux.mount import Mount
from naru.linux.namespaces import delete_netns
from naru.store.native import NativeSnapshotter
from naru.store.overlay import OverlaySnapshotter
from suites import raw_tar as raw
from suites.snapshotter_suite import chain, layer

pytestmark = requires("root", "unshare", "nsenter")

_UID, _GID = 1_700_000_000, 1_750_000_000


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[MappedTo]:
    """Give a user namespace with a name."""
    path = tmp_path / "userns"
    user_namespaces.create_userns(path, f"0 {_UID} 65536\n", f"0 {_GID} 65536\n")
    yield MappedTo(path, _UID, _GID)
    delete_netns(path)


@pytest.fixture
def place(tmp_path: Path, owner: MappedTo) -> Iterator[Path]:
    """Give a directory to mount on; nothing stays mounted."""
    path = tmp_path / "mnt"
    path.mkdir()
    yield path
    mount.unmount(path)
    assert [entry.target for entry in mountinfo.mounts_under(tmp_path)] == [owner.namespace]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "naru.db")


def _run_inside(owner: MappedTo, place: Path, script: str) -> str:
    """Run a script in `place` as the root of the namespace, who may not walk there."""
    directory = os.open(place, os.O_PATH)
    try:
        words = ["sh", "-euc", f"cd /proc/self/fd/{directory}; {script}"]
        done = process.run_blocking(
            ["nsenter", f"--user={owner.namespace}", *words], pass_fds=(directory,), timeout=30
        )
    finally:
        os.close(directory)
    return done.stdout.decode()


def test_a_deep_stack_is_mapped_and_written(
    tmp_path: Path, database: Database, owner: MappedTo, place: Path
) -> None:
    snapshots = OverlaySnapshotter(tmp_path / ("d" * 60), database)
    parent = None
    for number in range(127):
        layer(snapshots, f"l{number}", parent, raw.member(f"f{number}", b"x"))
        parent = f"l{number}"
    mapped_mounts.mount_all(snapshots.prepare("c", chain("l126")), place, owner)
    status = (place / "f0").stat()
    assert (status.st_uid, status.st_gid) == (_UID, _GID)
    script = (
        "stat -c %u:%g f0; rm f1; echo more >> f2; echo new > new; chown 5:6 new;"
        " mkdir -p sub; mv new sub/new; ln sub/new hard; stat -c %u:%g hard; ls | wc -l"
    )
    assert _run_inside(owner, place, script).split() == ["0:0", "5:6", "128"]
    mount.unmount(place)
    [upper] = {path.parent.parent for path in snapshots.root.glob("*/fs/sub")}
    new = upper / "fs" / "sub" / "new"
    assert (new.stat().st_uid, new.stat().st_gid) == (5, 6)
    assert ((upper / "fs" / "f2").stat().st_uid, (upper / "fs" / "f1").is_char_device()) == (
        0,
        True,
    )
    # The same snapshot without a mapping, as `--userns=host` and `commit` see it.
    mount.mount_all(snapshots.mounts("c"), place)
    assert (place / "sub" / "new").stat().st_uid == 5


def test_copied_layers_and_views_are_mapped_too(
    tmp_path: Path, database: Database, owner: MappedTo, place: Path
) -> None:
    snapshots = NativeSnapshotter(tmp_path / "native", database)
    layer(snapshots, "one", None, raw.member("a", b"x"))
    mapped_mounts.mount_all(snapshots.prepare("c", chain("one")), place, owner)
    assert (place / "a").stat().st_uid == _UID
    mount.unmount(place)
    mapped_mounts.mount_all(snapshots.view("v", chain("one")), place, owner)
    assert (place / "a").stat().st_gid == _GID
    with pytest.raises(OSError, match="Read-only"):
        (place / "a").write_text("y")


def test_what_cannot_be_mapped_is_told(tmp_path: Path, owner: MappedTo, place: Path) -> None:
    with pytest.raises(FaultError):
        mapped_mounts.mount_all([Mount("bind", "/proc")], place, owner)
    with pytest.raises(NotSupportedError):
        mapped_mounts.mount_all([Mount("tmpfs", "x")], place, owner)
    stranger = MappedTo(tmp_path / "none", 1, 1)
    with pytest.raises(FaultError, match="open user namespace"):
        mapped_mounts.mount_all([Mount("bind", "/etc")], place, stranger)


def test_a_map_that_the_kernel_refuses_leaves_no_name(tmp_path: Path) -> None:
    with pytest.raises(FaultError, match="write uid_map"):
        user_namespaces.create_userns(tmp_path / "n", "0 0 0\n", "0 0 1\n")
    assert not (tmp_path / "n").exists()
