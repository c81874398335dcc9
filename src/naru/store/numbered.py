"""What both snapshotters share: a row per snapshot, and a numbered directory for each row.

The row comes first and goes last, so that whatever a crash leaves is found by it; numbers are
never used twice, so a directory without a row is always garbage. What is in a directory, and how
it is mounted, belongs to `store.overlay` and `store.native`.
"""

from __future__ import annotations

import contextlib
import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from naru.db.database import Database
from naru.db.snapshots import SnapshotRow, SnapshotRows
from naru.errors import (
    ConflictError,
    CorruptDataError,
    FaultError,
    NotFoundError,
    NotSupportedError,
)
from naru.faults import fault_point
from naru.linux import durability, fs, mount
from naru.linux.mount import Mount
from naru.oci.digest import ChainId, Digest
from naru.store.changes import Difference
from naru.store.snapshotter import Kind, LayerTree, SnapshotInfo, Survey

TREE = "fs"
"""The directory of a snapshot that holds its files."""

_AFTER_ROW = fault_point("store.snapshot.after_row")
_BEFORE_READY = fault_point("store.snapshot.before_ready")
_BEFORE_COMMIT = fault_point("store.snapshot.before_commit")
_REMOVE_HALF = fault_point("store.snapshot.remove_half")
_AFTER_REPLACE = fault_point("store.snapshot.after_replace")


class NumberedSnapshots(ABC):
    """A `Snapshotter` but for what its directories hold."""

    name = ""
    can_rebase = False

    def __init__(self, root: Path, database: Database) -> None:
        """Keep snapshots below `root`, which is made if need be."""
        root.mkdir(mode=0o711, parents=True, exist_ok=True)
        self.root = root.resolve()
        fs.spread_subdirectories(self.root)
        self.on_commit: Callable[[], object] = lambda: None
        self._database = database
        self._rows = SnapshotRows(database, self.name)
        self._boot = durability.boot_id()

    @abstractmethod
    def _fill(self, directory: Path, kind: Kind, parents: Sequence[Path]) -> None:
        """Put into a fresh directory what a snapshot needs; `parents` are topmost first."""

    @abstractmethod
    def _describe(self, directory: Path, kind: Kind, parents: Sequence[Path]) -> list[Mount]:
        """Say how to mount a snapshot."""

    @abstractmethod
    def _describe_look(self, directory: Path, parents: Sequence[Path]) -> list[Mount]:
        """Say how to mount an active snapshot read-only while others write to it."""

    @abstractmethod
    def _compare(
        self, directory: Path, parents: Sequence[Path], *, keeps_mountpoints: bool
    ) -> AbstractContextManager[Difference]:
        """Find out what an active snapshot changed."""

    @abstractmethod
    def _limit(self, directory: Path, size_bytes: int) -> None:
        """Limit what an active snapshot takes, or refuse with NotSupportedError."""

    @abstractmethod
    def _unlimit(self, directory: Path) -> None:
        """Take back what `_limit` set, before the directory is removed. Idempotent."""

    @abstractmethod
    def _freeze(self, directory: Path) -> None:
        """Remove what only an active snapshot needs. Idempotent."""

    @abstractmethod
    def _measure(self, directory: Path, parents: Sequence[Path]) -> int:
        """Return the bytes that a snapshot takes beyond its parents."""

    def prepare(self, key: str, parent: ChainId | None) -> list[Mount]:
        return self._make(key, "active", parent)

    def view(self, key: str, parent: ChainId | None) -> list[Mount]:
        return self._make(key, "view", parent)

    def limit(self, key: str, size_bytes: int) -> None:
        directory = self._directory(self._active(key))
        try:
            self._limit(directory, size_bytes)
        except OSError as error:
            raise _failure(f"limit snapshot {key}", directory, error) from error

    def _make(self, key: str, kind: Kind, parent: ChainId | None) -> list[Mount]:
        with self._database.write():
            parents = [self._directory(row) for row in self._chain(parent)]
            number = self._rows.insert(key, kind, parent)
        if number is None:
            raise ConflictError(f"snapshot {key} already exists")
        directory = self.root / str(number)
        try:
            _AFTER_ROW()
            directory.mkdir(mode=0o711)
            self._fill(directory, kind, parents)
            _BEFORE_READY()
        except OSError as error:
            self._drop(number)
            raise _failure(f"make snapshot {key}", directory, error) from error
        except BaseException:
            self._drop(number)
            raise
        self._rows.set_state(number, "ready")
        return self._describe(directory, kind, parents)

    def commit(self, name: ChainId, key: str, *, size: int | None = None) -> None:
        with self._database.write():
            row = self._active(key)
            present = self._rows.find(name)
            if present is not None and present.parent != row.parent:
                raise ConflictError(f"snapshot {name} exists with another parent")
            _BEFORE_COMMIT()
            if present is None:
                self._rows.commit(row.number, name, self._boot)
                if size is not None:
                    self._rows.set_size(row.number, size)
            else:
                self._rows.set_state(row.number, "removing")
        if present is not None:
            self._drop(row.number)
        else:
            self._freeze(self._directory(row))
        self.on_commit()

    def replace(self, name: ChainId, key: str) -> int | None:
        with self._database.write():
            row, present = self._active(key), self._rows.find(name)
            if present is not None:
                if present.parent != row.parent:
                    raise ConflictError(f"snapshot {name} exists with another parent")
                self._rows.set_state(present.number, "removing")
            self._rows.commit(row.number, name, self._boot)
        _AFTER_REPLACE()
        self._freeze(self._directory(row))
        self.on_commit()
        return present.number if present else None

    def _active(self, key: str) -> SnapshotRow:
        row = self._rows.find(key)
        if row is None or row.kind != "active" or row.state != "ready":
            raise NotFoundError(f"active snapshot {key} does not exist")
        return row

    def rebase(self, key: str, parent: ChainId, *, inherit_root: bool) -> None:
        raise NotSupportedError(f"{self.name} cannot put a snapshot on another parent")

    def mounts(self, key: str) -> list[Mount]:
        row = self._rows.find(key)
        if row is None or row.state != "ready" or row.kind == "committed":
            raise NotFoundError(f"snapshot {key} does not exist")
        return self._describe(self._directory(row), _kind(row), self._parents(row))

    def look(self, key: str) -> list[Mount]:
        row = self._active(key)
        return self._describe_look(self._directory(row), self._parents(row))

    @contextlib.contextmanager
    def difference(self, key: str, *, keeps_mountpoints: bool = False) -> Iterator[Difference]:
        row = self._active(key)
        directory, parents = self._directory(row), self._parents(row)
        with self._compare(directory, parents, keeps_mountpoints=keeps_mountpoints) as found:
            yield found

    @contextlib.contextmanager
    def opened(self, name: ChainId) -> Iterator[LayerTree]:
        row = self._rows.find(name)
        if row is None or row.kind != "committed" or row.state != "ready":
            raise NotFoundError(f"layer {name} does not exist")
        directory, parents = self._directory(row), self._parents(row)
        if not (directory / TREE).is_dir():
            raise NotFoundError(f"layer {name} has lost its files")
        whole = self._describe(directory, "view", [directory, *parents])
        with contextlib.ExitStack() as stack:
            try:
                compared = self._compare(directory, parents, keeps_mountpoints=True)
                difference = stack.enter_context(compared)
                root = stack.enter_context(mount.detached(whole))
            except (OSError, FaultError) as error:
                now = self._rows.find(name)
                if now is None or now.number != row.number:
                    raise NotFoundError(f"layer {name} does not exist") from error
                if isinstance(error, FaultError):
                    raise
                raise _failure(f"open layer {name}", directory, error) from error
            yield LayerTree(root, difference.changes)

    def settle(self) -> int:
        rows = self._rows.unsettled()
        if rows:
            try:
                durability.sync_filesystem(self.root)
            except OSError as error:
                raise _failure("sync snapshots", self.root, error) from error
            with self._database.write():
                for row in rows:
                    self._rows.set_settled(row.number)
        return len(rows)

    def unsettled(self, *, before_boot: bool) -> list[SnapshotInfo]:
        return [
            _info(row)
            for row in self._rows.unsettled()
            if not before_boot or row.unsettled_boot != self._boot
        ]

    def vouch(self, name: ChainId) -> None:
        row = self._rows.find(name)
        if row is not None:
            self._rows.set_settled(row.number)

    def forsake(self, name: ChainId) -> None:
        row = self._rows.find(name)
        if row is not None and row.kind == "committed":
            self._drop(row.number)

    def survey(self) -> Survey:
        # Rows come before their directories and go after them, and numbers are never used twice.
        found = [entry.name for entry in os.scandir(self.root) if entry.name.isdecimal()]
        known = self._rows.numbers_of_all_drivers()
        lost = tuple(
            _info(row)
            for row in self._rows.all()
            if row.state == "ready" and not (self._directory(row) / TREE).is_dir()
        )
        return Survey(
            lost=lost, strays=tuple(sorted(name for name in found if int(name) not in known))
        )

    def remove_stray(self, name: str) -> None:
        if name.isdecimal() and int(name) not in self._rows.numbers_of_all_drivers():
            fs.remove_tree(self.root / name)

    def _parents(self, row: SnapshotRow) -> list[Path]:
        try:
            return [self._directory(parent) for parent in self._chain(_chain_id(row.parent))]
        except NotFoundError as error:
            raise CorruptDataError(f"snapshot {row.key}: {error.message}") from error

    def usage(self, key: str) -> int:
        row = self._rows.find(key)
        if row is None:
            raise NotFoundError(f"snapshot {key} does not exist")
        if row.size_bytes >= 0:
            return row.size_bytes
        try:
            parents = [self._directory(parent) for parent in self._chain(_chain_id(row.parent))]
        except NotFoundError:
            parents = []
        size = self._measure(self._directory(row), parents)
        if row.kind == "committed":
            self._rows.set_size(row.number, size)
        return size

    def stat(self, key: str) -> SnapshotInfo | None:
        row = self._rows.find(key)
        return _info(row) if row is not None and row.state == "ready" else None

    def walk(self, below: str = "") -> Iterator[SnapshotInfo]:
        rows = self._rows.beginning_with(below) if below else self._rows.all()
        return (_info(row) for row in rows if row.state == "ready")

    def chain(self, parent: ChainId | None) -> Sequence[ChainId]:
        return [ChainId(Digest(row.key)) for row in self._chain(parent)]

    def layer_trees(self, name: ChainId | None) -> Sequence[Path]:
        return []

    def _chain(self, name: ChainId | None) -> list[SnapshotRow]:
        if name is None:
            return []
        found = self._rows.chain(name)
        missing = found[-1].parent if found else name
        if missing is not None:
            raise NotFoundError(f"layer {missing} does not exist")
        return found

    def remove(self, key: str) -> None:
        with self._database.write():
            row = self._rows.find(key)
            if row is None:
                return
            if row.kind == "committed" and self._rows.has_children(key):
                raise ConflictError(f"snapshot {key} has others built on it")
            self._rows.set_state(row.number, "removing")
        self._drop(row.number)

    def discard(self, key: str) -> int | None:
        row = self._rows.find(key)
        if row is None or self._rows.has_children(key):
            return None
        self._rows.set_state(row.number, "removing")
        return row.number

    def purge(self, number: int) -> None:
        self._drop(number)

    def _drop(self, number: int) -> None:
        """Delete directory and row. Idempotent."""
        directory = self.root / str(number)
        self._rows.set_state(number, "removing")
        _REMOVE_HALF()
        try:
            self._unlimit(directory)
            fs.remove_tree(directory)
        except OSError as error:
            raise _failure("remove snapshot", directory, error) from error
        self._rows.delete(number)

    def repair(self) -> list[str]:
        done = []
        for row in self._rows.all():
            directory = self._directory(row)
            if row.state != "ready":
                self._drop(row.number)
                done.append(f"removed the unfinished snapshot {row.key}")
            elif not directory.is_dir():
                self._rows.delete(row.number)
                done.append(f"forgot the snapshot {row.key}, whose directory is gone")
        known = self._rows.numbers_of_all_drivers()
        for entry in list(os.scandir(self.root)):
            if entry.name.isascii() and entry.name.isdigit() and int(entry.name) not in known:
                fs.remove_tree(Path(entry.path))
                done.append(f"removed the directory {entry.name}, which no snapshot owns")
        return done

    def _directory(self, row: SnapshotRow) -> Path:
        return self.root / str(row.number)


def _kind(row: SnapshotRow) -> Kind:
    return "view" if row.kind == "view" else "active" if row.kind == "active" else "committed"


def _chain_id(text: str | None) -> ChainId | None:
    return None if text is None else ChainId(Digest(text))


def _info(row: SnapshotRow) -> SnapshotInfo:
    return SnapshotInfo(
        key=row.key,
        kind=_kind(row),
        parent=_chain_id(row.parent),
        size=row.size_bytes,
        number=row.number,
    )


def _failure(doing: str, directory: Path, error: OSError) -> FaultError:
    reason = os.strerror(error.errno or errno.EIO).lower()
    hint = ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        hint = f"the disk of {directory.parent} is full; remove images or add space"
    return FaultError(f"{doing}: {error.filename or directory}: {reason}", hint=hint)
