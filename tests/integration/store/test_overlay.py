"""The overlay snapshotter keeps the contract, on a real kernel."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.requirements import requires
from naru.db.database import Database
from naru.errors import ConflictError, FaultError, InvalidInputError
from naru.linux import mount, mountinfo
from naru.linux.mount import Mount
from naru.store import tar_apply
from naru.store.overlay import OverlaySnapshotter, supports_overlay
from naru.store.tree import NeedsParentError
from suites import raw_tar as raw
from suites.snapshotter_suite import Mounted, SnapshotterSuite, chain, layer, listing

pytestmark = requires("root")


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "naru.db")


@pytest.fixture
def snapshots(tmp_path: Path, database: Database) -> OverlaySnapshotter:
    return OverlaySnapshotter(tmp_path / "snapshots", database)


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Mounted]:
    place = tmp_path / "mnt"
    place.mkdir()

    @contextlib.contextmanager
    def mounted(mounts: list[Mount]) -> Iterator[Path]:
        mount.mount_all(mounts, place)
        try:
            yield place
        finally:
            mount.unmount(place)

    yield mounted
    assert mountinfo.mounts_under(tmp_path) == []


class TestOverlaySnapshotter(SnapshotterSuite):
    @pytest.fixture
    def snapshots(self, tmp_path: Path, database: Database) -> OverlaySnapshotter:
        return OverlaySnapshotter(tmp_path / "snapshots", database)


def test_a_stack_of_127_layers_mounts(tmp_path: Path, database: Database, mounted: Mounted) -> None:
    deep = OverlaySnapshotter(tmp_path / ("d" * 60) / "snapshots", database)
    parent = None
    for number in range(127):
        name = f"layer{number}"
        layer(deep, name, parent, raw.member(f"f{number}", b"x"), raw.member("same", name.encode()))
        parent = name
    mounts = deep.prepare("c", chain("layer126"))
    assert len(mounts[0].data) > 4096
    with mounted(mounts) as root:
        assert len(os.listdir(root)) == 128
        assert (root / "same").read_text() == "layer126"
        (root / "new").touch()


def test_applying_leaves_no_mount_behind(snapshots: OverlaySnapshotter) -> None:
    layer(snapshots, "one", None, raw.member("a"))
    layer(snapshots, "two", "one", raw.member("b"))
    options = [entry.super_options for entry in mountinfo.mounts()]
    assert [option for option in options if str(snapshots.root) in option] == []


def test_layers_applied_alone_stack_as_if_applied_in_order(
    snapshots: OverlaySnapshotter, mounted: Mounted
) -> None:
    first = (
        raw.directory(".", mode=0o711),
        raw.directory("d"),
        raw.member("d/old"),
        raw.member("d/kept", b"1"),
        raw.directory("o"),
        raw.member("o/old"),
        raw.directory("r"),
        raw.member("r/old"),
        raw.member("f"),
    )
    second = (
        raw.directory("d", mode=0o700),
        raw.member("d/old", b"replaced"),
        raw.member("d/new", b"2"),
        raw.member("o"),
        raw.directory("f"),
        raw.symlink("r", "d"),
    )
    layer(snapshots, "one", None, *first)
    layer(snapshots, "two", "one", *second)
    stream = io.BytesIO(raw.archive(*second))
    applied = tar_apply.apply_to_mounts(stream, snapshots.prepare("k", None), alone=True)
    snapshots.rebase("k", chain("one"), inherit_root=not applied.has_root)
    snapshots.rebase("k", chain("one"), inherit_root=not applied.has_root)
    snapshots.commit(chain("alone"), "k")
    with mounted(snapshots.prepare("a", chain("two"))) as root:
        in_order, mode = listing(root), root.stat().st_mode
    with mounted(snapshots.prepare("b", chain("alone"))) as root:
        assert listing(root) == in_order
        assert root.stat().st_mode == mode
    assert sorted(in_order) == ["d", "d/kept", "d/new", "d/old", "f", "o", "r"]


def test_a_snapshot_with_a_parent_gets_no_other(snapshots: OverlaySnapshotter) -> None:
    layer(snapshots, "one", None)
    layer(snapshots, "two", "one")
    snapshots.prepare("k", chain("one"))
    with pytest.raises(ConflictError):
        snapshots.rebase("k", chain("two"), inherit_root=True)
    stream = io.BytesIO(raw.archive())
    with pytest.raises(ValueError, match="alone"):
        tar_apply.apply_to_mounts(stream, snapshots.mounts("k"), alone=True)


def test_a_layer_that_needs_its_parent_can_begin_again(snapshots: OverlaySnapshotter) -> None:
    layer(snapshots, "one", None, raw.directory("d"), raw.member("d/a"))
    stream = io.BytesIO(raw.archive(raw.member("d/b")))
    mounts = snapshots.prepare("k", None)
    with pytest.raises(NeedsParentError):
        tar_apply.apply_to_mounts(stream, mounts, alone=True)
    snapshots.remove("k")
    layer(snapshots, "two", "one", raw.member("d/b"))


def test_the_work_directory_goes_with_the_commit(snapshots: OverlaySnapshotter) -> None:
    layer(snapshots, "one", None)
    layer(snapshots, "two", "one", raw.member("a"))
    assert [os.listdir(entry) for entry in snapshots.root.iterdir()] == [["fs"], ["fs"]]


def test_a_root_that_options_cannot_name_is_refused(tmp_path: Path, database: Database) -> None:
    with pytest.raises(InvalidInputError, match="colon"):
        OverlaySnapshotter(tmp_path / "a:b", database)


def test_a_snapshot_that_something_is_mounted_in_stays(
    tmp_path: Path, snapshots: OverlaySnapshotter
) -> None:
    """A bind mount of the same disk must not be emptied with the snapshot around it."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "data").write_text("keep me")
    (only,) = snapshots.prepare("c", None)
    inside = Path(only.source) / "volume"
    inside.mkdir()
    mount.bind(precious, inside)
    try:
        with pytest.raises(FaultError, match="remove snapshot"):
            snapshots.remove("c")
        assert (precious / "data").read_text() == "keep me"
    finally:
        mount.unmount(inside)
    snapshots.repair()
    assert os.listdir(snapshots.root) == []
    assert (precious / "data").exists()


def test_overlay_is_tried_before_it_is_used(tmp_path: Path) -> None:
    assert supports_overlay(tmp_path)
    assert os.listdir(tmp_path) == []
    # An overlay cannot be the upper layer of another.
    for name in ("lower", "upper", "work", "merged"):
        (tmp_path / name).mkdir()
    paths = f"lowerdir={tmp_path}/lower,upperdir={tmp_path}/upper,workdir={tmp_path}/work"
    mount.mount_all([Mount(type="overlay", source="overlay", data=paths)], tmp_path / "merged")
    try:
        assert not supports_overlay(tmp_path / "merged")
        assert os.listdir(tmp_path / "merged") == []
    finally:
        mount.unmount(tmp_path / "merged")
