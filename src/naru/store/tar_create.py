"""A layer's tar from what a snapshot changed, or from a whole tree.

The same content gives the same bytes: entries by path, hard links to the first of their names,
whole seconds, no names of users. Holes are written as zeros, sockets are left out, as in Docker.
The tree may be in use: what vanishes is left out, and a file that shrinks is filled up with
zeros. Memory is constant but for hard links. Blocks on the disk; runs on any thread.

Spec: image-spec v1.1, layer.md §Representing Changes; moby, pkg/archive.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import Self

from naru.errors import FaultError
from naru.linux import mount, safe_path, xattr
from naru.linux.mount import Mount
from naru.store import tar_read, whiteout
from naru.store.changes import Change, ChangeKind
from naru.store.tar_read import Entry
from naru.store.tar_write import TarWriter, Write

_PLAIN = safe_path.RESOLVE_NO_SYMLINKS | safe_path.RESOLVE_BENEATH
# The last is readlink(2)'s, of what is no link any more.
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE, errno.EINVAL)
_KINDS = {
    stat.S_IFREG: tar_read.REGULAR,
    stat.S_IFDIR: tar_read.DIRECTORY,
    stat.S_IFLNK: tar_read.SYMLINK,
    stat.S_IFCHR: tar_read.CHARACTER,
    stat.S_IFBLK: tar_read.BLOCK_DEVICE,
    stat.S_IFIFO: tar_read.FIFO,
}
_DEVICES = (tar_read.CHARACTER, tar_read.BLOCK_DEVICE)


def write_layer(root: int, changes: Iterable[Change], write: Write) -> None:
    """Write the tar of a layer: what was added or modified, and whiteouts of what was deleted.

    `root` is the open directory where the changed files are: for an overlay its upper one.
    `changes` come sorted, as `store.changes` returns them. `write` gets pieces of a MiB or so.

    Raises:
        FaultError: the disk fails, or a path is longer than the kernel takes.
    """
    with TreeWriter(root, write) as writer:
        for change in changes:
            if change.kind == ChangeKind.DELETED:
                writer.add_whiteout(change.path)
            else:
                writer.add_path(change.path)


def write_tree(root: int, write: Write) -> None:
    """Write the tar of all that is below the open directory `root`, in the order of names.

    Raises as `write_layer`.
    """
    with TreeWriter(root, write) as writer:
        for path in _walk(root):
            writer.add_path(path)


def write_mounted(mounts: Sequence[Mount], write: Write) -> None:
    """Write the tar of all that is in a stack of mounts. No mount is visible or left.

    Raises:
        FaultError: as `write_tree`, or the kernel refused a mount.
    """
    with mount.detached(mounts) as root:
        write_tree(root, write)


class TreeWriter:
    """An archive of files below one directory, being written. The end of the block ends it."""

    def __init__(self, root: int, write: Write) -> None:
        self._root = root
        self._archive = TarWriter(write)
        # The directory that entries come from, and the name under which a file is in already.
        self._parent = b""
        self._directory = -1
        self._names: dict[tuple[int, int], bytes] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._close_directory()
        if kind is None:
            self._archive.end()

    def add_path(self, path: bytes) -> bool:
        """Add one file or directory, not what is in it; say whether it was there.

        Raises:
            FaultError: the disk fails, or the path is longer than the kernel takes.
        """
        parent, _, last = path.rpartition(b"/")
        try:
            return self._add(self._open_directory(parent), last, path)
        except OSError as error:
            if error.errno in _GONE:
                return False
            reason = os.strerror(error.errno or errno.EIO).lower()
            raise FaultError(f"read /{os.fsdecode(path)}: {reason}") from error

    def add_whiteout(self, path: bytes) -> None:
        """Add the marker that deletes `path` from what is below."""
        parent, slash, name = path.rpartition(b"/")
        self._archive.add(
            Entry(
                kind=tar_read.REGULAR,
                name=parent + slash + whiteout.PREFIX + name,
                link=b"",
                mode=0,
                uid=0,
                gid=0,
                size=0,
                mtime_ns=0,
            )
        )

    def _add(self, directory: int, last: bytes, name: bytes) -> bool:
        status = os.stat(last, dir_fd=directory, follow_symlinks=False)
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None or whiteout.is_overlay_whiteout(status):
            return False
        entry = Entry(
            kind=kind,
            name=name,
            link=b"",
            mode=stat.S_IMODE(status.st_mode),
            uid=status.st_uid,
            gid=status.st_gid,
            size=0,
            mtime_ns=status.st_mtime_ns,
        )
        if kind in _DEVICES:
            entry.major, entry.minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        identity = (status.st_dev, status.st_ino)
        has_names = kind != tar_read.DIRECTORY and status.st_nlink > 1
        if has_names and identity in self._names:
            entry.kind, entry.link = tar_read.HARD_LINK, self._names[identity]
            self._archive.add(entry)
            return True
        entry.xattrs = {
            os.fsencode(key): value
            for key, value in whiteout.layer_xattrs(
                xattr.read_all(xattr.path_at(directory, last))
            ).items()
        }
        if kind == tar_read.REGULAR:
            if not self._add_file(entry, directory, last):
                return False
        else:
            if kind == tar_read.SYMLINK:
                entry.link = os.readlink(last, dir_fd=directory)
            self._archive.add(entry)
        if has_names:
            self._names[identity] = name
        return True

    def _add_file(self, entry: Entry, directory: int, last: bytes) -> bool:
        descriptor = _open_regular(directory, last)
        if descriptor is None:
            return False
        try:
            entry.size = os.fstat(descriptor).st_size
            self._archive.add(entry, _FileContent(descriptor, entry))
        finally:
            os.close(descriptor)
        return True

    def _open_directory(self, path: bytes) -> int:
        if self._directory < 0 or path != self._parent:
            self._close_directory()
            self._directory = safe_path.openat2(
                self._root, path or b".", os.O_RDONLY | os.O_DIRECTORY, 0, _PLAIN
            )
            self._parent = path
        return self._directory

    def _close_directory(self) -> None:
        if self._directory >= 0:
            os.close(self._directory)
            self._directory = -1


def _open_regular(directory: int, name: bytes) -> int | None:
    """Open a file to read it; None if it is no regular one.

    By now the name may stand for a device, and to open one of those can have effects.
    """
    place = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        if not stat.S_ISREG(os.fstat(place).st_mode):
            return None
        return os.open(b"/proc/self/fd/%d" % place, os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(place)


class _FileContent:
    """A file that somebody may be cutting off: what is missing reads as zeros."""

    def __init__(self, descriptor: int, entry: Entry) -> None:
        self._descriptor = descriptor
        self._entry = entry

    def read(self, count: int, /) -> bytes:
        try:
            return os.read(self._descriptor, count) or bytes(count)
        except OSError as error:
            # Its header is out: it cannot be left out any more.
            reason = os.strerror(error.errno or errno.EIO).lower()
            raise FaultError(f"read {self._entry}: {reason}") from error


def _walk(root: int) -> Iterator[bytes]:
    """Yield all paths below a directory, each directory before what is in it."""
    pending = _children(root, b"")
    while pending:
        path, is_directory = pending.pop()
        yield path
        if is_directory:
            pending += _children(root, path)


def _children(root: int, path: bytes) -> list[tuple[bytes, bool]]:
    """Return what is in a directory, the last name first."""
    try:
        directory = safe_path.openat2(root, path or b".", os.O_RDONLY | os.O_DIRECTORY, 0, _PLAIN)
    except OSError as error:
        if error.errno in _GONE:
            return []
        reason = os.strerror(error.errno or errno.EIO).lower()
        raise FaultError(f"read /{os.fsdecode(path)}: {reason}") from error
    try:
        with os.scandir(directory) as entries:
            found = [
                (os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries
            ]
    finally:
        os.close(directory)
    prefix = path + b"/" if path else b""
    return [(prefix + name, is_directory) for name, is_directory in sorted(found, reverse=True)]
