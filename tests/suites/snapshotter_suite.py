"""What every snapshotter must do. Subclass it, and give `snapshots` and `mounted` fixtures."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from naru import faults
from naru.db.database import Database
from naru.errors import ConflictError, FaultError, NotFoundError
from naru.linux.mount import Mount
from naru.oci.digest import ChainId, Digest, digest_bytes
from naru.store import tar_apply
from naru.store.numbered import NumberedSnapshots
from suites import raw_tar as raw

Mounted = Callable[[list[Mount]], AbstractContextManager[Path]]


def chain(name: str) -> ChainId:
    return ChainId(digest_bytes(name.encode()))


def layer(snapshots: NumberedSnapshots, name: str, parent: str | None, *members: bytes) -> ChainId:
    """Commit a layer of these members under the chain id of `name`."""
    key = f"unpack-{name}"
    mounts = snapshots.prepare(key, chain(parent) if parent else None)
    tar_apply.apply_to_mounts(io.BytesIO(raw.archive(*members)), mounts)
    snapshots.commit(chain(name), key)
    return chain(name)


def listing(root: Path) -> dict[str, str]:
    """Return every path below `root` with what tells it from another."""
    found = {}
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = Path(directory, name)
            status = path.lstat()
            kind = oct(status.st_mode)
            content = ""
            if path.is_symlink():
                content = os.readlink(path)
            elif path.is_file():
                content = path.read_text()
            found[str(path.relative_to(root))] = f"{kind} {status.st_uid}:{status.st_gid} {content}"
    return found


class SnapshotterSuite:
    """The contract of `naru.store.snapshotter.Snapshotter`."""

    @pytest.fixture
    def database(self, tmp_path: Path) -> Database:
        return Database(tmp_path / "naru.db")

    def test_a_layer_is_seen_through_a_child(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(snapshots, "one", None, raw.directory("d"), raw.member("d/a", b"1"), raw.member("x"))
        layer(
            snapshots,
            "two",
            "one",
            raw.directory("d"),
            raw.member("d/b", b"2"),
            raw.member(".wh.x"),
        )
        with mounted(snapshots.prepare("c", chain("two"))) as root:
            assert sorted(os.listdir(root)) == ["d"]
            assert (root / "d/a").read_text() == "1"
            assert (root / "d/b").read_text() == "2"

    def test_writing_to_a_child_leaves_the_layers_alone(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(snapshots, "one", None, raw.member("a", b"old"), raw.member("b"))
        with mounted(snapshots.prepare("c", chain("one"))) as root:
            (root / "a").write_text("new")
            (root / "b").unlink()
        with mounted(snapshots.view("v", chain("one"))) as root:
            assert (root / "a").read_text() == "old"
            assert (root / "b").exists()
        with mounted(snapshots.mounts("c")) as root:
            assert listing(root).keys() == {"a"}

    def test_a_view_cannot_be_written_to(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(snapshots, "one", None, raw.member("a", b"old"))
        layer(snapshots, "two", "one", raw.member("b"))
        for name in ("one", "two"):
            with (
                mounted(snapshots.view(f"view-{name}", chain(name))) as root,
                pytest.raises(OSError, match="Read-only"),
            ):
                (root / "new").touch()
        with mounted(snapshots.view("empty", None)) as root, pytest.raises(OSError):
            (root / "new").touch()

    def test_a_layer_may_lean_on_its_parent(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(
            snapshots,
            "one",
            None,
            raw.directory("usr", mode=0o711),
            raw.directory("usr/lib"),
            raw.member("usr/lib/a", b"1"),
            raw.symlink("lib", "usr/lib"),
        )
        layer(snapshots, "two", "one", raw.member("lib/b"), raw.hard_link("c", "lib/a"))
        with mounted(snapshots.prepare("c", chain("two"))) as root:
            assert (root / "lib").is_symlink()
            assert sorted(os.listdir(root / "usr/lib")) == ["a", "b"]
            assert (root / "usr").stat().st_mode & 0o777 == 0o711
            assert (root / "c").read_text() == "1"

    def test_the_root_directory_keeps_its_attributes(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(snapshots, "one", None, raw.directory(".", mode=0o710, uid=7), raw.member("a"))
        layer(snapshots, "two", "one", raw.member("b"))
        with mounted(snapshots.prepare("c", chain("two"))) as root:
            assert root.stat().st_mode & 0o7777 == 0o710
            assert root.stat().st_uid == 7

    def test_an_opaque_directory_hides_what_is_below(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(snapshots, "one", None, raw.directory("d"), raw.member("d/old"))
        layer(snapshots, "two", "one", raw.member("d/new"), raw.member("d/.wh..wh..opq"))
        with mounted(snapshots.prepare("c", chain("two"))) as root:
            assert os.listdir(root / "d") == ["new"]

    def test_keys_and_names_are_taken_once(self, snapshots: NumberedSnapshots) -> None:
        snapshots.prepare("c", None)
        with pytest.raises(ConflictError, match="already exists"):
            snapshots.prepare("c", None)
        with pytest.raises(ConflictError, match="already exists"):
            snapshots.view("c", None)

    def test_an_unknown_parent_is_an_error_and_leaves_nothing(
        self, snapshots: NumberedSnapshots
    ) -> None:
        with pytest.raises(NotFoundError):
            snapshots.prepare("c", chain("nothing"))
        assert snapshots.stat("c") is None
        assert os.listdir(snapshots.root) == []

    def test_an_active_snapshot_is_nobodys_parent(self, snapshots: NumberedSnapshots) -> None:
        snapshots.prepare("c", None)
        with pytest.raises(NotFoundError):
            snapshots.prepare("d", ChainId(Digest("c")))

    def test_commit_renames_the_key_away(self, snapshots: NumberedSnapshots) -> None:
        snapshots.prepare("c", None)
        snapshots.commit(chain("one"), "c")
        assert snapshots.stat("c") is None
        info = snapshots.stat(chain("one"))
        assert info is not None
        assert (info.kind, info.parent) == ("committed", None)

    def test_commit_of_what_is_there_already_is_harmless(
        self, snapshots: NumberedSnapshots
    ) -> None:
        layer(snapshots, "one", None, raw.member("a"))
        layer(snapshots, "one", None, raw.member("a"))
        assert [info.key for info in snapshots.walk()] == [chain("one")]
        assert len(os.listdir(snapshots.root)) == 1

    def test_commit_under_the_name_of_another_stack_is_refused(
        self, snapshots: NumberedSnapshots
    ) -> None:
        layer(snapshots, "one", None)
        layer(snapshots, "two", "one")
        snapshots.prepare("c", None)
        with pytest.raises(ConflictError, match="another parent"):
            snapshots.commit(chain("two"), "c")
        assert snapshots.stat("c") is not None

    def test_only_an_active_snapshot_can_be_committed(self, snapshots: NumberedSnapshots) -> None:
        layer(snapshots, "one", None)
        snapshots.view("v", chain("one"))
        for key in ("v", chain("one"), "nothing"):
            with pytest.raises(NotFoundError):
                snapshots.commit(chain("two"), key)

    def test_remove_is_idempotent_and_refuses_parents(self, snapshots: NumberedSnapshots) -> None:
        layer(snapshots, "one", None, raw.member("a"))
        snapshots.prepare("c", chain("one"))
        with pytest.raises(ConflictError):
            snapshots.remove(chain("one"))
        snapshots.remove("c")
        snapshots.remove("c")
        snapshots.remove(chain("one"))
        assert list(snapshots.walk()) == []
        assert os.listdir(snapshots.root) == []

    def test_chain_names_the_stack_from_the_top(self, snapshots: NumberedSnapshots) -> None:
        layer(snapshots, "one", None)
        layer(snapshots, "two", "one")
        assert snapshots.chain(chain("two")) == [chain("two"), chain("one")]
        assert snapshots.chain(None) == []

    def test_usage_counts_what_a_snapshot_adds(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(snapshots, "one", None, raw.member("a", b"x" * 1000))
        assert snapshots.usage(chain("one")) == 1000
        with mounted(snapshots.prepare("c", chain("one"))) as root:
            assert snapshots.usage("c") == 0
            (root / "b").write_bytes(b"y" * 50)
        assert snapshots.usage("c") == 50
        with pytest.raises(NotFoundError):
            snapshots.usage("nothing")

    def test_mounts_are_the_same_at_every_call(self, snapshots: NumberedSnapshots) -> None:
        layer(snapshots, "one", None)
        assert snapshots.prepare("c", chain("one")) == snapshots.mounts("c")
        assert snapshots.view("v", chain("one")) == snapshots.mounts("v")
        with pytest.raises(NotFoundError):
            snapshots.mounts(chain("one"))

    def test_a_lost_layer_that_returns_is_found_by_its_children(
        self, snapshots: NumberedSnapshots, mounted: Mounted
    ) -> None:
        layer(snapshots, "one", None, raw.member("a", b"1"))
        snapshots.prepare("c", chain("one"))
        row = snapshots._rows.find(chain("one"))
        assert row is not None
        snapshots._rows.delete(row.number)
        with pytest.raises(FaultError, match="does not exist"):
            snapshots.mounts("c")
        snapshots.repair()
        layer(snapshots, "one", None, raw.member("a", b"1"))
        with mounted(snapshots.mounts("c")) as root:
            assert (root / "a").read_text() == "1"

    def test_repair_removes_orphans_both_ways(self, snapshots: NumberedSnapshots) -> None:
        layer(snapshots, "one", None, raw.member("a"))
        snapshots.prepare("lost", None)
        row = snapshots._rows.find("lost")
        assert row is not None
        (snapshots.root / str(row.number)).rename(snapshots.root / "4711")
        assert len(snapshots.repair()) == 2
        assert [info.key for info in snapshots.walk()] == [chain("one")]
        assert len(os.listdir(snapshots.root)) == 1
        assert snapshots.repair() == []

    @pytest.mark.parametrize(
        "point",
        [
            "store.snapshot.after_row",
            "store.snapshot.before_ready",
            "store.snapshot.before_commit",
            "store.snapshot.remove_half",
        ],
    )
    def test_a_failure_at_any_step_leaves_what_repair_removes(
        self, snapshots: NumberedSnapshots, point: str
    ) -> None:
        faults.arm(point, "raise")
        try:
            with pytest.raises(FaultError):
                self._whole_life(snapshots)
        finally:
            faults._points[point].action = ""
        snapshots.repair()
        for info in list(snapshots.walk()):
            snapshots.remove(info.key)
        assert os.listdir(snapshots.root) == []
        self._whole_life(snapshots)
        assert os.listdir(snapshots.root) == []

    @staticmethod
    def _whole_life(snapshots: NumberedSnapshots) -> None:
        snapshots.prepare("k", None)
        snapshots.commit(chain("one"), "k")
        snapshots.remove(chain("one"))
