"""Snapshots by plain copy: slow and large, but it works on any filesystem.

The fallback where overlayfs is missing, and what the tests compare overlay with.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from naru.errors import NotSupportedError
from naru.linux import fs, tree_copy
from naru.linux.mount import MS_RDONLY, Mount
from naru.store.changes import Difference, tree_changes
from naru.store.numbered import TREE, NumberedSnapshots
from naru.store.snapshotter import Kind


class NativeSnapshotter(NumberedSnapshots):
    """Every active snapshot is a full copy; a view is the parent itself, read-only."""

    name = "vfs"

    def _fill(self, directory: Path, kind: Kind, parents: Sequence[Path]) -> None:
        tree = directory / TREE
        tree.mkdir(mode=0o755)
        tree.chmod(0o755)
        if kind == "active" and parents:
            tree_copy.copy_tree(parents[0] / TREE, tree)

    def _describe(self, directory: Path, kind: Kind, parents: Sequence[Path]) -> list[Mount]:
        shown = parents[0] if kind == "view" and parents else directory
        flags = MS_RDONLY if kind == "view" else 0
        return [Mount(type="bind", source=os.fspath(shown / TREE), flags=flags)]

    def _describe_look(self, directory: Path, parents: Sequence[Path]) -> list[Mount]:
        return self._describe(directory, "view", ())

    @contextlib.contextmanager
    def _compare(
        self, directory: Path, parents: Sequence[Path], *, keeps_mountpoints: bool
    ) -> Iterator[Difference]:
        with contextlib.ExitStack() as stack:
            trees: list[int] = []
            for place in (directory, *parents[:1]):
                trees.append(os.open(place / TREE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
                stack.callback(os.close, trees[-1])
            old = trees[1] if parents else None
            changes = tree_changes(trees[0], old, keeps_mountpoints=keeps_mountpoints)
            yield Difference(trees[0], changes)

    def _freeze(self, directory: Path) -> None:
        """Nothing is there but the files."""

    def _limit(self, directory: Path, size_bytes: int) -> None:
        # A full copy is mostly the image's, and would be counted, too.
        raise NotSupportedError(f"copied snapshots have no limit, such as of {size_bytes} bytes")

    def _unlimit(self, directory: Path) -> None:
        """Nothing is ever set."""

    def _measure(self, directory: Path, parents: Sequence[Path]) -> int:
        below = fs.tree_size(parents[0] / TREE) if parents else 0
        return max(0, fs.tree_size(directory / TREE) - below)
