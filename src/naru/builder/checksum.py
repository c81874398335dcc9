"""Checksums of files and trees, for cache keys: all that a copy of them would show, and no more.

Names, kinds, modes, sizes, links, devices, capabilities and contents count; times do not, and
owners only where a copy keeps them. Blocks on the disk.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from typing import Self

from naru.dockerfile.ignorefile import IgnoreRules
from naru.linux import safe_path, xattr

_PIECE = 1 << 20
_CAPABILITY = "security.capability"
_PLAIN = safe_path.RESOLVE_NO_SYMLINKS | safe_path.RESOLVE_BENEATH
# A fifo must not hold us up, and a terminal must not become ours.
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_NOFOLLOW


def walk(root: int, rules: IgnoreRules) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield path and status of all that is below an open directory and not left out.

    Each directory comes before what is in it, names in order. A directory that is left out
    comes all the same if something in it does not.

    Raises:
        OSError: the disk fails, or a path is longer than the kernel takes.
    """
    pending = _children(root, b"", rules)
    while pending:
        path, status = pending.pop()
        yield path, status
        if stat.S_ISDIR(status.st_mode):
            pending += _children(root, path, rules)


def _children(root: int, path: bytes, rules: IgnoreRules) -> list[tuple[bytes, os.stat_result]]:
    """Return what is in a directory, the last name first."""
    prefix = path + b"/" if path else b""
    directory = open_plain(root, path)
    try:
        return [
            (prefix + name, os.stat(name, dir_fd=directory, follow_symlinks=False))
            for name in sorted(map(os.fsencode, os.listdir(directory)), reverse=True)
            if not _is_left_out(prefix + name, rules)
        ]
    finally:
        os.close(directory)


def _is_left_out(path: bytes, rules: IgnoreRules) -> bool:
    text = os.fsdecode(path)
    return rules.leaves_out(text) and not rules.may_hold_exceptions(text)


class Directories:
    """Directories below a root, opened without following a link; the last one stays open.

    Neighbours in a walk are neighbours in a tree.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._path = b""
        self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def open(self, path: bytes) -> int:
        """Return a descriptor of a directory, valid until the next call.

        Raises:
            OSError: it is none.
        """
        if self._descriptor < 0 or path != self._path:
            self._close()
            self._descriptor = open_plain(self._root, path)
            self._path = path
        return self._descriptor

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def open_plain(root: int, path: bytes) -> int:
    """Open a directory below `root` without following a link."""
    return safe_path.openat2(root, path or b".", os.O_RDONLY | os.O_DIRECTORY, 0, _PLAIN)


def place_of(root: int, descriptor: int) -> tuple[bytes, bytes]:
    """Return the parent and the name of an open file, from `root` and without links.

    Both may be on a mount that no path leads to; the kernel tells paths from its root then. Of
    the root itself both are empty.
    """
    above = os.readlink(b"/proc/self/fd/%d" % root).rstrip(b"/") + b"/"
    path = os.readlink(b"/proc/self/fd/%d" % descriptor)
    if path.rstrip(b"/") + b"/" == above:
        return b"", b""
    parent, _, name = path.removeprefix(above).rpartition(b"/")
    return parent, name


def tree_checksum(root: int, rules: IgnoreRules, *, with_owners: bool) -> str:
    """Return the checksum of all that is below an open directory. Raises as `walk`."""
    whole = hashlib.sha256()
    with Directories(root) as directories:
        for path, status in walk(root, rules):
            parent, _, name = path.rpartition(b"/")
            directory = directories.open(parent)
            one = file_checksum(directory, name, path, status, with_owners=with_owners)
            whole.update(one.encode())
    return whole.hexdigest()


def file_checksum(
    directory: int, name: bytes, shown: bytes, status: os.stat_result, *, with_owners: bool
) -> str:
    """Return the checksum of one file, which a copy would call `shown`.

    Raises:
        OSError: the disk fails.
    """
    mode = status.st_mode
    link = os.readlink(name, dir_fd=directory) if stat.S_ISLNK(mode) else b""
    capability = xattr.read_all(xattr.path_at(directory, name)).get(_CAPABILITY, b"")
    is_device = stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
    numbers = (
        mode,
        status.st_size if stat.S_ISREG(mode) else 0,
        status.st_rdev if is_device else 0,
        *((status.st_uid, status.st_gid) if with_owners else ()),
    )
    fields = (shown, link, capability.hex().encode(), *(b"%d" % number for number in numbers))
    # No name and no link holds a zero.
    digest = hashlib.sha256(b"\0".join(fields) + b"\0\0")
    if stat.S_ISREG(mode):
        descriptor = os.open(name, _READ | os.O_CLOEXEC, dir_fd=directory)
        try:
            while piece := os.read(descriptor, _PIECE):
                digest.update(piece)
        finally:
            os.close(descriptor)
    return digest.hexdigest()
