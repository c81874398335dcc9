"""Law of snapshotters: overlay and plain copy agree on any sequence of operations."""

from __future__ import annotations

import io
import os
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harness.requirements import requires
from naru.db.database import Database
from naru.errors import ConflictError, NaruError
from naru.linux import fs, mount
from naru.oci.digest import ChainId, digest_bytes
from naru.store import tar_apply
from naru.store.native import NativeSnapshotter
from naru.store.numbered import NumberedSnapshots
from naru.store.overlay import OverlaySnapshotter
from suites import raw_tar as raw
from suites.snapshotter_suite import listing

NAMES = ("a", "b", "d", "d/a", "d/e", "d/e/f", "l")
names = st.sampled_from(NAMES)
KEYS = ("k0", "k1", "k2")
keys = st.sampled_from(KEYS)
edits = st.lists(
    st.tuples(st.sampled_from(["file", "directory", "symlink", "whiteout", "opaque"]), names),
    min_size=1,
    max_size=5,
)


def encoded(edit: tuple[str, str], turn: int) -> bytes:
    kind, name = edit
    parent, _, last = name.rpartition("/")
    match kind:
        case "file":
            return raw.member(name, f"turn {turn}".encode())
        case "directory":
            return raw.directory(name, mode=0o700 + turn % 8)
        case "symlink":
            return raw.symlink(name, "d")
        case "whiteout":
            return raw.member(f"{parent}/.wh.{last}")
        case _:
            return raw.member(f"{parent}/.wh..wh..opq")


class Agreement(RuleBasedStateMachine):
    """Does the same to both, and compares all that can be seen."""

    def __init__(self) -> None:
        super().__init__()
        self.scratch = tempfile.TemporaryDirectory()
        root = Path(self.scratch.name)
        database = Database(root / "naru.db")
        self.both: tuple[NumberedSnapshots, ...] = (
            OverlaySnapshotter(root / "overlay", database),
            NativeSnapshotter(root / "native", database),
        )
        self.committed: list[ChainId] = []
        self.turn = 0

    def teardown(self) -> None:
        for snapshots in self.both:
            for info in list(snapshots.walk()):
                if info.kind != "committed":
                    snapshots.remove(info.key)
            for name in reversed(self.committed):
                snapshots.remove(name)
            assert os.listdir(snapshots.root) == []
            fs.remove_tree(snapshots.root)
        self.scratch.cleanup()

    def outcomes(self, *results: object) -> None:
        assert results[0] == results[1]

    @rule(key=keys, pick=st.integers(0, 20))
    def prepare(self, key: str, pick: int) -> None:
        parent = ([None, *self.committed])[pick % (len(self.committed) + 1)]
        found = []
        for snapshots in self.both:
            try:
                snapshots.prepare(key, parent)
                found.append("made")
            except ConflictError as error:
                found.append(error.message)
        self.outcomes(*found)

    @rule(key=keys, changes=edits)
    def apply(self, key: str, changes: list[tuple[str, str]]) -> None:
        self.turn += 1
        data = raw.archive(*(encoded(edit, self.turn) for edit in changes))
        found = []
        for snapshots in self.both:
            try:
                applied = tar_apply.apply_to_mounts(io.BytesIO(data), snapshots.mounts(key))
                found.append(repr(applied))
            except NaruError as error:
                found.append(error.message)
        self.outcomes(*found)

    @precondition(lambda self: len(self.committed) < 6)
    @rule(key=keys)
    def commit(self, key: str) -> None:
        name = ChainId(digest_bytes(f"layer {len(self.committed)}".encode()))
        found = []
        for snapshots in self.both:
            try:
                snapshots.commit(name, key)
                found.append("committed")
            except NaruError as error:
                found.append(error.message)
        self.outcomes(*found)
        if found[0] == "committed":
            self.committed.append(name)

    @rule(key=keys)
    def remove(self, key: str) -> None:
        for snapshots in self.both:
            snapshots.remove(key)

    @rule()
    def repair(self) -> None:
        assert [snapshots.repair() for snapshots in self.both] == [[], []]

    @invariant()
    def trees_agree(self) -> None:
        for key in KEYS:
            trees: list[dict[str, str] | None] = []
            for snapshots in self.both:
                if snapshots.stat(key) is None:
                    trees.append(None)
                    continue
                with mount.detached(snapshots.mounts(key)) as root:
                    trees.append(listing(Path(f"/proc/self/fd/{root}")))
            self.outcomes(*trees)


@requires("root")
def test_overlay_and_plain_copy_agree() -> None:
    run_state_machine_as_test(Agreement, settings=settings(max_examples=25, stateful_step_count=15))
