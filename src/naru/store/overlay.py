"""Snapshots on overlayfs: a directory of differences each, stacked by the kernel.

A snapshot's directory has `fs` (the differences) and, while it is active, `work` (the kernel's).

Spec: kernel, filesystems/overlayfs.rst.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from naru.db.database import Database
from naru.errors import ConflictError, InvalidInputError, NaruError
from naru.linux import fs, mount, project_quota, tree_copy
from naru.linux.mount import MS_RDONLY, Mount
from naru.oci.digest import ChainId
from naru.store.changes import Difference, overlay_changes
from naru.store.numbered import TREE, NumberedSnapshots
from naru.store.snapshotter import Kind

_WORK = "work"
# Differences must be complete in themselves: no renames by reference, no files without data,
# and no index that ties an upper directory to one stack of lowers.
_OPTIONS = "index=off,metacopy=off,redirect_dir=off"


def supports_overlay(directory: Path) -> bool:
    """Say whether the filesystem of `directory` can hold overlay's layers, by trying it.

    Writes through a mount that nobody sees, and deletes a file of a lower layer: filesystems
    without attributes or device files fail there. Leaves nothing behind, and cleans up after a
    trial that was killed.
    """
    trial = directory / ".overlay-trial"
    try:
        fs.remove_tree(trial)
        for name in ("lower", "upper", _WORK):
            (trial / name).mkdir(parents=True)
        (trial / "lower" / "file").touch()
        paths = f"lowerdir={trial}/lower,upperdir={trial}/upper,workdir={trial}/{_WORK}"
        stack = Mount(type="overlay", source="overlay", data=f"{paths},{_OPTIONS}")
        with mount.detached([stack]) as root:
            os.unlink("file", dir_fd=root)
            os.mkdir("directory", dir_fd=root)
            return os.listdir(root) == ["directory"]
    except (OSError, NaruError):
        return False
    finally:
        fs.remove_tree(trial)


class OverlaySnapshotter(NumberedSnapshots):
    """The usual snapshotter. A stack may have 500 layers; the kernel says no to more."""

    name = "overlay2"
    can_rebase = True

    def __init__(self, root: Path, database: Database) -> None:
        """Keep snapshots below `root`.

        Raises:
            InvalidInputError: the path holds a character that separates mount options.
        """
        super().__init__(root, database)
        if any(character in os.fspath(self.root) for character in ':,\\"'):
            raise InvalidInputError(
                f"snapshots in {self.root}: overlay takes no path with a colon, comma, quote or"
                " backslash"
            )

    def rebase(self, key: str, parent: ChainId, *, inherit_root: bool) -> None:
        with self._database.write():
            row = self._active(key)
            if row.parent not in (None, parent):
                raise ConflictError(f"snapshot {key} has the parent {row.parent}")
            below = self._directory(self._chain(parent)[0])
            self._rows.set_parent(row.number, parent)
        if inherit_root:
            _inherit_root(below / TREE, self._directory(row) / TREE)

    def layer_trees(self, name: ChainId | None) -> Sequence[Path]:
        return [self._directory(row) / TREE for row in self._chain(name)]

    def _fill(self, directory: Path, kind: Kind, parents: Sequence[Path]) -> None:
        tree = directory / TREE
        tree.mkdir(mode=0o755)
        tree.chmod(0o755)
        if kind == "active":
            (directory / _WORK).mkdir(mode=0o711)
        if parents:
            _inherit_root(parents[0] / TREE, tree)

    def _freeze(self, directory: Path) -> None:
        fs.remove_tree(directory / _WORK)

    def _limit(self, directory: Path, size_bytes: int) -> None:
        project_quota.limit([directory / TREE, directory / _WORK], size_bytes)

    def _unlimit(self, directory: Path) -> None:
        project_quota.release(directory / TREE)

    def _describe(self, directory: Path, kind: Kind, parents: Sequence[Path]) -> list[Mount]:
        flags = MS_RDONLY if kind == "view" else 0
        if not parents:
            return [Mount(type="bind", source=os.fspath(directory / TREE), flags=flags)]
        lowers = ":".join(os.fspath(parent / TREE) for parent in parents)
        if kind == "view" and len(parents) == 1:
            return [Mount(type="bind", source=lowers, flags=flags)]
        options = f"lowerdir={lowers},{_OPTIONS}"
        if kind == "active":
            options += f",upperdir={directory / TREE},workdir={directory / _WORK}"
        return [Mount(type="overlay", source="overlay", flags=flags, data=options)]

    def _describe_look(self, directory: Path, parents: Sequence[Path]) -> list[Mount]:
        # As one more layer below, what it changed needs no directory of the kernel's own.
        return self._describe(directory, "view", [directory, *parents])

    @contextlib.contextmanager
    def _compare(
        self, directory: Path, parents: Sequence[Path], *, keeps_mountpoints: bool
    ) -> Iterator[Difference]:
        with contextlib.ExitStack() as stack:
            upper = os.open(directory / TREE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, upper)
            lower = None
            if parents:
                below = self._describe(directory, "view", parents)
                lower = stack.enter_context(mount.detached(below))
            changes = overlay_changes(upper, lower, keeps_mountpoints=keeps_mountpoints)
            yield Difference(upper, changes)

    def _measure(self, directory: Path, parents: Sequence[Path]) -> int:
        return fs.tree_size(directory / TREE)


def _inherit_root(parent: Path, tree: Path) -> None:
    """Give a root directory what its parent's has: the merged one shows the topmost."""
    below = os.fsencode(parent)
    tree_copy.copy_attributes(below, os.fsencode(tree), os.lstat(below))
