"""A layer's tar onto a directory tree, hostile input assumed.

The target is the merged view of all layers below, so a deletion is a deletion; overlay makes its
own whiteouts of them. Nothing outside the target is read, written or linked to: every name is
resolved by the kernel with the target as its root. A failure leaves a partial tree: throw it
away. Blocks on the disk; runs on any thread.

Spec: image-spec v1.1, layer.md §Applying Changesets.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from naru.errors import InvalidInputError
from naru.linux import fs, mount
from naru.linux.mount import Mount
from naru.store import tar_read, whiteout
from naru.store.tar_place import EntryPlacer, failure
from naru.store.tar_read import READ_SIZE, Entry, Readable, show
from naru.store.tar_sparse import SparseTarReader
from naru.store.tree import Tree


@dataclass(frozen=True, slots=True)
class Applied:
    """What a layer brought.

    `entries` counts the archive's entries, `size` the bytes of files and of symbolic links, as
    Docker does; what was placed and then replaced is in it, too, if anything `has_removed`.
    `has_root` says whether there was an entry for the root directory itself.
    """

    entries: int
    size: int
    has_root: bool
    has_removed: bool


@contextlib.contextmanager
def opened(mounts: Sequence[Mount], *, alone: bool = False) -> Iterator[int]:
    """Open the tree of a prepared snapshot. No mount is visible or left, even after a kill.

    With `alone`, the snapshot was prepared without the parent that it will get by
    `Snapshotter.rebase`. That suits layers that only add.

    Raises:
        FaultError: the kernel refused.
    """
    if len(mounts) == 1 and mounts[0].type == "bind" and not mounts[0].read_only:
        root = os.open(mounts[0].source, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            yield root
        finally:
            os.close(root)
        return
    if alone:
        raise ValueError("a layer can be alone only in a snapshot without parents")
    with mount.detached(mounts) as root:
        yield root


def apply_at(stream: Readable, root: int, *, alone: bool = False) -> Applied:
    """Apply a layer to an open directory, and read `stream` to its end.

    `stream` is a plain tar (or an empty stream, which is an empty layer). Owners, modes, times,
    attributes and devices are restored. Of two entries with one name the last one counts;
    whiteouts hide what was there before, never what the same layer brings.

    Raises:
        CorruptDataError: no valid tar, or cut off; the message names the entry.
        InvalidInputError: a name or link that leads out of the tree, or cannot be made.
        NotSupportedError: a sparse file in GNU's own form, or an unknown kind of entry.
        FaultError: the disk is full or fails.
        NeedsParentError: with `alone` as in `opened`, the layer deletes, leaves out directories,
            or links to files of its parent. Begin again with the parent.
    """
    return _Layer(stream, root, alone=alone).apply()


def apply_to_mounts(stream: Readable, mounts: Sequence[Mount], *, alone: bool = False) -> Applied:
    """Apply a layer to a prepared snapshot. Raises as `opened` and `apply_at` do."""
    with opened(mounts, alone=alone) as root:
        return apply_at(stream, root, alone=alone)


def apply(stream: Readable, target: Path, *, alone: bool = False) -> Applied:
    """Do as `apply_at` does, to a directory by its path."""
    root = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return apply_at(stream, root, alone=alone)
    finally:
        os.close(root)


def clean_name(name: bytes) -> bytes:
    """Return a name without `.`, `..` and double slashes, relative to the root; "" is the root.

    Raises:
        InvalidInputError: it leads out of the root.
    """
    tidy = name.removeprefix(b"./")
    if not tidy.startswith((b".", b"/")) and b"/." not in tidy and b"//" not in tidy:
        return tidy.rstrip(b"/")
    parts: list[bytes] = []
    for part in name.split(b"/"):
        if part == b"..":
            if not parts:
                raise InvalidInputError(f"layer: {show(name)}: leads out of the root")
            parts.pop()
        elif part not in (b"", b"."):
            parts.append(part)
    return b"/".join(parts)


class _Guarded:
    """A stream that ends with ENOSPC before what it fills is full: a layer may be a bomb."""

    def __init__(self, stream: Readable, root: int) -> None:
        self._stream = stream
        self._root = root
        self._next = getattr(stream, "read_piece", None) or partial(stream.read, READ_SIZE)

    def read(self, count: int, /) -> bytes:
        fs.require_room(self._root)
        return self._stream.read(count)

    def read_piece(self) -> bytes | memoryview:
        fs.require_room(self._root)
        piece: bytes | memoryview = self._next()
        return piece


class _Layer:
    """One run of `apply`."""

    def __init__(self, stream: Readable, root: int, *, alone: bool = False) -> None:
        self._reader = SparseTarReader(_Guarded(stream, root), reads_old=False)
        self._tree = Tree(root, alone=alone)
        self._placer = EntryPlacer(self._reader, self._tree, what="layer", path_of_link=clean_name)
        self._count = 0

    def apply(self) -> Applied:
        entry = None
        try:
            while (entry := self._reader.next()) is not None:
                self._count += 1
                self._place(entry)
            self._placer.finish()
            self._reader.drain()
        except OSError as error:
            raise failure("layer", entry, error) from error
        finally:
            self._tree.close()
        placer = self._placer
        return Applied(
            entries=self._count,
            size=placer.size,
            has_root=placer.has_root,
            has_removed=self._tree.has_removed,
        )

    def _place(self, entry: Entry) -> None:
        path = clean_name(entry.name)
        parent_path, _, name = path.rpartition(b"/")
        if name.startswith(whiteout.PREFIX):
            self._whiteout(parent_path, name)
        elif path:
            self._placer.place(entry, path)
        elif entry.kind == tar_read.DIRECTORY:
            self._placer.keep_root(entry)

    def _whiteout(self, parent_path: bytes, name: bytes) -> None:
        hidden = whiteout.hidden_name(name)
        if hidden is None and name != whiteout.OPAQUE:
            return
        # Markers of our own would show as files where nothing is below them: the kernel hides
        # them in merged directories only.
        self._tree.require_parent(parent_path + b"/" + name)
        try:
            parent, parent_path = self._tree.existing(parent_path)
        except (FileNotFoundError, NotADirectoryError):
            return
        if hidden is None:
            self._tree.hide_children(parent_path)
        else:
            self._tree.hide(parent, parent_path, hidden)
