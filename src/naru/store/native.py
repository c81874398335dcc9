"""Snapshots by plain copy: slow and large, but it works on any filesystem.

The fallback where overlayfs is missing, and what the tests compare overlay with.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from naru.linux import fs, tree_copy
from naru.linux.mount import MS_RDONLY, Mount
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

    def _measure(self, directory: Path, parents: Sequence[Path]) -> int:
        below = fs.tree_size(parents[0] / TREE) if parents else 0
        return max(0, fs.tree_size(directory / TREE) - below)
