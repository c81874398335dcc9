"""Whether an unpacked tree is what its layer says: a tar against the files on disk, read once.

Goes by what the tree looks like from above: each entry is looked for where unpacking would have
put it. What the layer deletes must not be there, and nothing may have changed that it does not
name. Reads only; for worker threads.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass

from naru.linux import xattr
from naru.store import tar_read, whiteout
from naru.store.changes import Change, ChangeKind
from naru.store.tar_apply import clean_name
from naru.store.tar_read import Entry, Readable, TarReader
from naru.store.tree import Tree

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_KINDS = {
    tar_read.REGULAR: stat.S_IFREG,
    tar_read.DIRECTORY: stat.S_IFDIR,
    tar_read.SYMLINK: stat.S_IFLNK,
    tar_read.CHARACTER: stat.S_IFCHR,
    tar_read.BLOCK_DEVICE: stat.S_IFBLK,
    tar_read.FIFO: stat.S_IFIFO,
}
# Seconds. Beyond them filesystems keep what they can.
_LAST_SURE_TIME = 2**31
_FILE_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOATIME | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, order=True)
class Deviation:
    """One path that is not what the layer says, and in which way."""

    path: bytes
    what: str

    def __str__(self) -> str:
        return f"/{os.fsdecode(self.path)}: {self.what}"


def deviations(
    stream: Readable, root: int, changes: Sequence[Change], *, contents: bool
) -> list[Deviation]:
    """Compare a tree with its layer, whose plain tar is read to its end; sorted by path.

    `root` is the open root of the tree as a container sees it, `changes` what it has beyond the
    layers below. Kinds, owners, modes, times, sizes and links are compared, and with `contents`
    every byte. (No tool makes layers that fill a directory and put a link in its place afterwards;
    of such, what was filled is looked for where the link leads.)

    Raises:
        CorruptDataError: no valid tar, or cut off.
        OSError: the disk fails.
    """
    tree = Tree(root)
    try:
        return _Comparison(TarReader(stream), tree, contents=contents).run(changes)
    finally:
        tree.close()


class _Comparison:
    """One run of `deviations`."""

    def __init__(self, reader: TarReader, tree: Tree, *, contents: bool) -> None:
        self._reader = reader
        self._tree = tree
        self._contents = contents
        self._found: dict[bytes, str] = {}
        # Where each path was named last, so that of two entries with one name the last counts.
        self._placed: dict[bytes, int] = {}
        self._directories: set[bytes] = set()
        self._links: dict[bytes, bytes] = {}
        self._deleted: set[bytes] = set()
        self._opaque: set[bytes] = set()
        self._cleared: set[bytes] = set()
        # What a change may be at without an entry of its own: what is above an entry.
        self._touched: set[bytes] = set()

    def run(self, changes: Sequence[Change]) -> list[Deviation]:
        count = 0
        while (entry := self._reader.next()) is not None:
            count += 1
            self._take(entry, count)
        self._reader.drain()
        self._check_links()
        self._check_deleted()
        self._check_changes(changes)
        return [Deviation(path, what) for path, what in sorted(self._found.items())]

    def _take(self, entry: Entry, number: int) -> None:
        path = clean_name(entry.name)
        parent_path, _, name = path.rpartition(b"/")
        if name.startswith(whiteout.PREFIX):
            self._hide(parent_path, name)
            return
        if not path:
            if entry.kind == tar_read.DIRECTORY:
                self._compare(entry, self._tree.root, b".", b"")
            return
        try:
            parent, parent_path = self._tree.existing(parent_path)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            self._place(path, number, is_directory=entry.kind == tar_read.DIRECTORY)
            self._found[path] = "is missing"
            return
        path = parent_path + b"/" + name if parent_path else name
        self._place(path, number, is_directory=entry.kind == tar_read.DIRECTORY)
        if entry.kind == tar_read.HARD_LINK:
            target = self._links[path] = clean_name(entry.link)
            # To be linked to, a file of the layers below becomes one of this layer.
            self._touched.add(target)
            self._touch(target)
            return
        self._compare(entry, parent, name, path)

    def _hide(self, parent_path: bytes, name: bytes) -> None:
        hidden = whiteout.hidden_name(name)
        if hidden is None and name != whiteout.OPAQUE:
            return
        try:
            _, parent_path = self._tree.existing(parent_path)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return
        if hidden is None:
            self._opaque.add(parent_path)
            self._touch(_joined(parent_path, name))
            return
        path = _joined(parent_path, hidden)
        self._deleted.add(path)
        self._touch(path)

    def _place(self, path: bytes, number: int, *, is_directory: bool) -> None:
        self._found.pop(path, None)
        self._links.pop(path, None)
        if is_directory:
            if path in self._placed and path not in self._directories:
                # Something else was here for a while, and all below it had to go.
                self._cleared.add(path)
            self._directories.add(path)
        elif path in self._directories or path in self._touched:
            # What the layer itself has put there goes when something else takes the place.
            self._directories.discard(path)
            for below in [known for known in self._placed if known.startswith(path + b"/")]:
                del self._placed[below]
                self._found.pop(below, None)
                self._links.pop(below, None)
        self._placed[path] = number
        self._touch(path)

    def _touch(self, path: bytes) -> None:
        parent = path.rpartition(b"/")[0]
        while parent and parent not in self._touched:
            self._touched.add(parent)
            parent = parent.rpartition(b"/")[0]

    def _compare(self, entry: Entry, parent: int, name: bytes, path: bytes) -> None:
        what = self._difference(entry, parent, name)
        if what:
            self._found[path] = what

    def _difference(self, entry: Entry, parent: int, name: bytes) -> str:
        try:
            status = os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return "is missing"
        if stat.S_IFMT(status.st_mode) != _KINDS[entry.kind]:
            return "is of another kind"
        return (
            _metadata(entry, status, parent, name)
            or _attributes(entry, parent, name)
            or (self._content(entry, parent, name) if entry.kind == tar_read.REGULAR else "")
        )

    def _content(self, entry: Entry, parent: int, name: bytes) -> str:
        if not self._contents or not entry.size:
            return ""
        descriptor = os.open(name, _FILE_FLAGS, dir_fd=parent)
        try:
            position = 0
            while piece := self._reader.read_piece(tar_read.READ_SIZE):
                if os.pread(descriptor, len(piece), position) != piece:
                    return f"holds other bytes from {position} on"
                position += len(piece)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return "cannot be read"
        finally:
            os.close(descriptor)
        return ""

    def _check_links(self) -> None:
        for path, target in self._links.items():
            if self._placed.get(target, 0) > self._placed[path]:
                # It was linked to what had that name before.
                continue
            here, there = self._status(path), self._status(target)
            if here is None:
                self._found[path] = "is missing"
            elif there is not None and not os.path.samestat(here, there):
                self._found[path] = f"is no link to /{os.fsdecode(target)}"

    def _status(self, path: bytes) -> os.stat_result | None:
        parent_path, _, name = path.rpartition(b"/")
        try:
            parent, _ = self._tree.existing(parent_path)
            return os.stat(name, dir_fd=parent, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise
            return None

    def _check_deleted(self) -> None:
        for path in self._deleted:
            # What the layer deletes and brings anew is compared with what it brings.
            is_brought = path in self._placed or path in self._touched
            if not is_brought and self._status(path) is not None:
                self._found[path] = "is there, and the layer deletes it"

    def _check_changes(self, changes: Sequence[Change]) -> None:
        for change in changes:
            path = change.path
            if path in self._placed or path in self._touched or path in self._found:
                continue
            if change.kind is ChangeKind.DELETED:
                if not self._explains_deletion(path):
                    self._found[path] = "is deleted, and the layer does not say so"
            elif path not in self._deleted:
                self._found[path] = "is not in the layer"

    def _explains_deletion(self, path: bytes) -> bool:
        if path in self._deleted:
            return True
        while path:
            path = path.rpartition(b"/")[0]
            if path in self._deleted or path in self._opaque or path in self._cleared:
                return True
        return False


def _metadata(entry: Entry, status: os.stat_result, parent: int, name: bytes) -> str:
    if (status.st_uid, status.st_gid) != (entry.uid, entry.gid):
        return f"belongs to {status.st_uid}:{status.st_gid}, not {entry.uid}:{entry.gid}"
    if entry.kind == tar_read.SYMLINK:
        target = os.readlink(name, dir_fd=parent)
        if target != entry.link:
            return f"leads to {os.fsdecode(target)}, not {os.fsdecode(entry.link)}"
    elif stat.S_IMODE(status.st_mode) != entry.mode:
        return f"has mode {stat.S_IMODE(status.st_mode):o}, not {entry.mode:o}"
    if entry.kind == tar_read.REGULAR and status.st_size != entry.size:
        return f"has {status.st_size} bytes, not {entry.size}"
    if entry.kind in (tar_read.CHARACTER, tar_read.BLOCK_DEVICE):
        device = os.makedev(entry.major, entry.minor)
        if status.st_rdev != device:
            return "is another device"
    seconds = entry.mtime_ns // 10**9
    if 0 <= seconds < _LAST_SURE_TIME and int(status.st_mtime_ns // 10**9) != seconds:
        return "was changed at another time"
    return ""


def _attributes(entry: Entry, parent: int, name: bytes) -> str:
    for attribute, value in (entry.xattrs or {}).items():
        if whiteout.is_overlay_xattr(attribute):
            continue
        present = xattr.get(xattr.path_at(parent, name), os.fsdecode(attribute))
        # A filesystem may have no place for some attributes; for these all have one.
        is_missing = present is None and attribute.startswith(b"security.")
        if is_missing or (present is not None and present != value):
            return f"has another {os.fsdecode(attribute)}"
    return ""


def _joined(parent: bytes, name: bytes) -> bytes:
    return parent + b"/" + name if parent else name
