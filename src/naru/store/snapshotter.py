"""What a snapshotter promises. The implementations are `store.overlay` and `store.native`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from naru.linux.mount import Mount
from naru.oci.digest import ChainId
from naru.store.changes import Change, Difference

Kind = Literal["active", "view", "committed"]


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """One snapshot. `key` is the name of a committed one; `size` is -1 while unknown.

    `number` tells it from one that had the name before.
    """

    key: str
    kind: Kind
    parent: ChainId | None
    size: int = -1
    number: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class LayerTree:
    """A committed snapshot that is open to be looked at.

    `root` is the open root of what a container would see; `changes`, what the layer itself does
    to the ones below it.
    """

    root: int
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Survey:
    """What does not fit: snapshots without their files, and directories that belong to none."""

    lost: tuple[SnapshotInfo, ...]
    strays: tuple[str, ...]


class Snapshotter(Protocol):
    """Builds a container's root filesystem from a stack of layers.

    An *active* snapshot is writable and found by its key; a *view* is the same, read-only; a
    *committed* one is immutable and found by its name, the chain id of its layers. Keys and
    names share one namespace. Only committed snapshots are parents.

        mounts = snapshots.prepare(key, parent=chain_id)   # 1. writable view of the parent
        tar_apply.apply_to_mounts(layer, mounts, ...)      # 2. change it
        snapshots.commit(child_chain_id, key)              # 3. freeze it; `key` is gone

    Mounts are descriptions; nothing is mounted here. All calls block on the disk, none on the
    network, and any thread may make them. A process killed in any of them leaves at most what
    the next `repair` removes.
    """

    name: str
    """`overlay2` or `vfs`: what Docker calls this kind of storage."""
    can_rebase: bool
    """Whether layers can be applied in any order, and stacked afterwards."""
    on_commit: Callable[[], object]
    """Called after each commit, by the thread that commits."""

    def prepare(self, key: str, parent: ChainId | None) -> list[Mount]:
        """Make the active snapshot `key` on top of `parent` (None: on nothing).

        Raises:
            ConflictError: `key` exists.
            NotFoundError: no committed snapshot `parent`.
            FaultError: the disk is full, or fails.
        """

    def limit(self, key: str, size_bytes: int) -> None:
        """Let the fresh active snapshot `key` take no more than so much of the disk.

        The limit goes away with the snapshot.

        Raises:
            NotFoundError: no active snapshot `key`.
            NotSupportedError: the file system has no such limits.
            FaultError: the disk fails.
        """

    def view(self, key: str, parent: ChainId | None) -> list[Mount]:
        """Make the read-only snapshot `key` of `parent`. Raises as `prepare` does."""

    def rebase(self, key: str, parent: ChainId, *, inherit_root: bool) -> None:
        """Put the active snapshot `key`, prepared without a parent, on top of `parent`.

        For layers that were applied `alone`. `inherit_root` takes the attributes of the root
        directory from the parent: for a layer that brings none. Idempotent.

        Raises:
            NotFoundError: no active snapshot `key`, or no committed snapshot `parent`.
            ConflictError: `key` has another parent already.
            NotSupportedError: not `can_rebase`.
        """

    def commit(self, name: ChainId, key: str, *, size: int | None = None) -> None:
        """Freeze the active snapshot `key` under `name`. It must not be mounted any more.

        Atomic: after a crash either `key` or `name` exists, never both, never neither.
        Idempotent on `name`: if it is there already with the same parent, `key` is dropped.
        Whoever knows its `size`, as `usage` would tell it, saves that it is measured.

        Raises:
            NotFoundError: no active snapshot `key`.
            ConflictError: `name` exists with another parent.
        """

    def replace(self, name: ChainId, key: str) -> int | None:
        """Do as `commit` does, but let `key` take the place of a `name` that is there.

        Atomic. Returns what `purge` frees the old one's space by, if there was one, as does the
        next `repair`: containers may have it mounted. What stands on `name` stands on the new one
        from its next mount on.

        Raises:
            NotFoundError: no active snapshot `key`.
            ConflictError: `name` exists with another parent.
        """

    def opened(self, name: ChainId) -> AbstractContextManager[LayerTree]:
        """Open the committed snapshot `name` for the block, to be looked at.

        Raises:
            NotFoundError: no committed snapshot `name`.
            CorruptDataError: a layer below it is gone.
            FaultError: it cannot be mounted, or the disk fails.
        """

    def settle(self) -> int:
        """Write all committed snapshots to the disk, and note that they are; return how many.

        Takes as long as the disk needs for all that was written to it of late, by anybody.

        Raises:
            FaultError: the disk fails; nothing is noted.
        """

    def unsettled(self, *, before_boot: bool) -> list[SnapshotInfo]:
        """Return the committed snapshots that may not be on the disk yet, oldest first.

        With `before_boot`, those committed before the machine was last started: their files are
        what a power cut has left of them.
        """

    def vouch(self, name: ChainId) -> None:
        """Note that `name` is on the disk, whole. Idempotent."""

    def forsake(self, name: ChainId) -> None:
        """Delete the committed snapshot `name`, whatever stands on it. Idempotent.

        For files that may be anything: what is built on them then fails, instead of reading them.
        """

    def survey(self) -> Survey:
        """Look for what does not fit together. Others may work meanwhile."""

    def remove_stray(self, name: str) -> None:
        """Delete a directory that a `survey` found to belong to no snapshot. Idempotent."""

    def mounts(self, key: str) -> list[Mount]:
        """Return how to mount the active snapshot or view `key`; the same at every call.

        Raises:
            NotFoundError: no such active snapshot or view.
            CorruptDataError: a layer below it is gone.
        """

    def look(self, key: str) -> list[Mount]:
        """Return how to mount the active snapshot `key` read-only, as it is now.

        Others may have it mounted and write to it meanwhile. Raises as `mounts` does.
        """

    def difference(
        self, key: str, *, keeps_mountpoints: bool = False
    ) -> AbstractContextManager[Difference]:
        """Find out what the active snapshot `key` changed, and keep it open for the block.

        Others may write to it meanwhile. For `keeps_mountpoints` see `store.changes`.

        Raises:
            NotFoundError: no active snapshot `key`.
            CorruptDataError: a layer below it is gone.
            FaultError: the disk fails.
        """

    def usage(self, key: str) -> int:
        """Return the bytes that `key` (or a name) itself takes, without what is below it.

        Counted once for committed snapshots, and walked anew for the others.

        Raises:
            NotFoundError: no such snapshot.
        """

    def stat(self, key: str) -> SnapshotInfo | None:
        """Return what is known of a key or name; None if there is no such snapshot."""

    def walk(self, below: str = "") -> Iterator[SnapshotInfo]:
        """Go through all snapshots, or those whose key begins with `below`, oldest first."""

    def chain(self, parent: ChainId | None) -> Sequence[ChainId]:
        """Return `parent` and all below it, topmost first.

        Raises:
            NotFoundError: one of them is missing.
        """

    def layer_trees(self, name: ChainId | None) -> Sequence[Path]:
        """Return the directories of a stack's layers, topmost first.

        Empty where no directory holds a layer alone.

        Raises:
            NotFoundError: one of the layers is not here.
        """

    def remove(self, key: str) -> None:
        """Delete a snapshot. It must not be mounted. Idempotent.

        Raises:
            ConflictError: others are built on it.
        """

    def discard(self, key: str) -> int | None:
        """Mark a snapshot as removed, without taking the time to delete it; for collection.

        Joins the transaction that is open. Returns what to hand to `purge`; None if it is not
        there, or others are built on it.
        """

    def purge(self, number: int) -> None:
        """Delete the files of a discarded snapshot. Idempotent."""

    def repair(self) -> list[str]:
        """Finish or undo what a crash interrupted; call once, before anything else.

        Directories without rows go, and rows without directories. Returns what was done, in
        words for the log.
        """
