"""A directory tree, or one file, as a tar stream: the tree may change and be hostile meanwhile.

Walks by descriptors: no link is followed below the start, and no device or fifo is ever opened.
A file is given the size that it had when its turn came, whatever becomes of it. Sockets are left
out, and so is what the caller says is not to be entered. Memory and open files are bounded
whatever the tree is like. Blocks on the disk.

Spec: Go, archive/tar; moby, pkg/archive (which entries there are, and their order).
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

from naru.errors import FaultError
from naru.store import tar_holes, tar_read, whiteout
from naru.store.tar_header import END, entry_blocks, padding
from naru.store.tar_place import Owners
from naru.store.tar_read import Entry

_BLOCK_BYTES = 1 << 20
_NAMED = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_LIST = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
# Deeper directories are closed, and found again from their children.
_MAX_OPEN = 32
_KINDS = {
    stat.S_IFREG: tar_read.REGULAR,
    stat.S_IFLNK: tar_read.SYMLINK,
    stat.S_IFDIR: tar_read.DIRECTORY,
    stat.S_IFCHR: tar_read.CHARACTER,
    stat.S_IFBLK: tar_read.BLOCK_DEVICE,
    stat.S_IFIFO: tar_read.FIFO,
}

MayEnter = Callable[[int], bool]


@dataclass(slots=True)
class _Level:
    """A directory on the way: `descriptor` is -1 while it is closed."""

    descriptor: int
    identity: tuple[int, int]
    name: bytes
    waiting: list[bytes]


class TreeArchive:
    """One archive in the making."""

    def __init__(
        self,
        may_enter: MayEnter = lambda _: True,
        inside: Owners = lambda uid, gid: (uid, gid),
        *,
        keeps_holes: bool = False,
    ) -> None:
        """Begin; `may_enter` is asked for every directory below the start, by descriptor.

        `inside` says who the owner of a file is to whom the archive is for. `keeps_holes` is for
        readers that know sparse files, which Docker's do not.
        """
        self._may_enter = may_enter
        self._inside = inside
        self._keeps_holes = keeps_holes
        self._first_names: dict[tuple[int, int], bytes] = {}
        self._small: list[bytes] = []
        self._small_bytes = 0

    def add(
        self, descriptor: int, name: bytes, *, with_children: bool = True
    ) -> Generator[bytes, None, None]:
        """Yield blocks of the archive of what `descriptor` names, and of all below it if wanted.

        The descriptor may be one of O_PATH; it stays the caller's. Several trees may be added.

        Raises:
            OSError: the disk fails.
            FaultError: the tree was torn apart meanwhile.
        """
        status = os.fstat(descriptor)
        yield from self._entry(descriptor, name, status)
        if not (with_children and stat.S_ISDIR(status.st_mode)):
            return
        levels = [self._level(_reopened(descriptor), name.rstrip(b"/"), status)]
        try:
            while levels:
                level = levels[-1]
                if not level.waiting:
                    levels.pop()
                    self._leave(level, levels)
                    continue
                child = level.waiting.pop()
                yield from self._child(levels, level, child)
        finally:
            for level in levels:
                if level.descriptor >= 0:
                    os.close(level.descriptor)

    def end(self) -> bytes:
        """Return the rest of the archive."""
        self._small.append(END)
        return self._flushed()

    def _child(self, levels: list[_Level], level: _Level, child: bytes) -> Iterator[bytes]:
        try:
            named = os.open(child, _NAMED, dir_fd=level.descriptor)
        except OSError as error:
            if error.errno in _GONE:
                return
            raise
        try:
            status = os.fstat(named)
            name = level.name + b"/" + child
            yield from self._entry(named, name, status)
            if stat.S_ISDIR(status.st_mode) and self._may_enter(named):
                with contextlib.suppress(FileNotFoundError):
                    levels.append(self._level(_reopened(named), name, status))
                    if len(levels) > _MAX_OPEN:
                        closed = levels[-_MAX_OPEN - 1]
                        os.close(closed.descriptor)
                        closed.descriptor = -1
        finally:
            os.close(named)

    def _level(self, descriptor: int, name: bytes, status: os.stat_result) -> _Level:
        names = sorted(map(os.fsencode, os.listdir(descriptor)), reverse=True)
        return _Level(descriptor, (status.st_dev, status.st_ino), name, names)

    @staticmethod
    def _leave(level: _Level, levels: list[_Level]) -> None:
        """Close a directory that is done with; open the one above it again if it was closed."""
        try:
            if levels and levels[-1].descriptor < 0:
                above = os.open("..", _LIST, dir_fd=level.descriptor)
                status = os.fstat(above)
                if (status.st_dev, status.st_ino) != levels[-1].identity:
                    os.close(above)
                    shown = level.name.decode("utf-8", "backslashreplace")
                    raise FaultError(f"{shown}: moved while it was read")
                levels[-1].descriptor = above
        finally:
            os.close(level.descriptor)

    def _entry(self, descriptor: int, name: bytes, status: os.stat_result) -> Iterator[bytes]:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode))
        if kind is None:
            return
        link = b""
        if kind == tar_read.SYMLINK:
            link = os.readlink(b"", dir_fd=descriptor)
        elif kind == tar_read.DIRECTORY:
            name = name.rstrip(b"/") + b"/"
        elif status.st_nlink > 1:
            identity = (status.st_dev, status.st_ino)
            link = self._first_names.setdefault(identity, name)
            if link != name:
                kind = tar_read.HARD_LINK
            else:
                link = b""
        size = status.st_size if kind == tar_read.REGULAR else 0
        major = minor = 0
        if kind in (tar_read.CHARACTER, tar_read.BLOCK_DEVICE):
            major, minor = os.major(status.st_rdev), os.minor(status.st_rdev)
        uid, gid = self._inside(status.st_uid, status.st_gid)
        entry = Entry(
            kind,
            name,
            link,
            mode=stat.S_IMODE(status.st_mode),
            uid=uid,
            gid=gid,
            size=size,
            mtime_ns=status.st_mtime_ns,
            major=major,
            minor=minor,
            xattrs=_xattrs(descriptor) if kind in _WITH_XATTRS else None,
        )
        if size:
            yield from self._file(descriptor, entry, status)
        else:
            yield from self._collect(entry_blocks(entry))

    def _file(self, descriptor: int, entry: Entry, status: os.stat_result) -> Iterator[bytes]:
        reader = _reopened(descriptor)
        try:
            regions = tar_holes.data_regions(reader, status) if self._keeps_holes else None
            if regions is None:
                yield from self._collect(entry_blocks(entry))
                yield from self._content(reader, entry.size)
            else:
                more = tar_holes.records(entry.name, entry.size)
                stored = tar_holes.region_map(regions)
                entry.name = tar_holes.stand_in_name(entry.name)
                length = sum(length for _, length in regions)
                entry.size = len(stored) + length
                yield from self._collect(entry_blocks(entry, more))
                yield from self._collect(stored)
                for start, count in regions:
                    os.lseek(reader, start, os.SEEK_SET)
                    yield from self._content(reader, count)
                entry.size = length
            yield from self._collect(padding(entry.size))
        finally:
            os.close(reader)

    def _content(self, reader: int, size: int) -> Iterator[bytes]:
        left = size
        while left:
            piece = os.read(reader, min(left, _BLOCK_BYTES))
            if not piece:
                break
            left -= len(piece)
            yield from self._collect(piece)
        while left:
            # It shrank; the size that was announced must be kept.
            gap = bytes(min(left, _BLOCK_BYTES))
            left -= len(gap)
            yield from self._collect(gap)

    def _collect(self, data: bytes) -> Iterator[bytes]:
        """Join what is small: a hand-over costs as much as copying some kilobytes."""
        self._small.append(data)
        self._small_bytes += len(data)
        if self._small_bytes >= _BLOCK_BYTES:
            yield self._flushed()

    def _flushed(self) -> bytes:
        block = self._small[0] if len(self._small) == 1 else b"".join(self._small)
        self._small, self._small_bytes = [], 0
        return block


_WITH_XATTRS = (tar_read.REGULAR, tar_read.DIRECTORY)


def _reopened(descriptor: int) -> int:
    """Open for reading what a descriptor names, and nothing that took its name since."""
    return os.open(b"/proc/self/fd/%d" % descriptor, os.O_RDONLY | os.O_CLOEXEC)


def _xattrs(descriptor: int) -> dict[bytes, bytes] | None:
    """Return the attributes worth keeping, None for none; the file may lose them meanwhile."""
    path = b"/proc/self/fd/%d" % descriptor
    try:
        names = os.listxattr(path)
    except OSError:
        return None
    found = {}
    for name in names:
        with contextlib.suppress(OSError):
            found[name] = os.getxattr(path, name)
    kept = whiteout.layer_xattrs(found)
    return {os.fsencode(name): value for name, value in kept.items()} or None
