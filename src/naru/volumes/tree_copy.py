"""Copying a directory tree into one that somebody else may be writing to.

Owners, modes, times, extended attributes, hard links, symbolic links and devices are kept. A
container that uses the volume already can swap any name there for a link at any moment, so all
work is done on descriptors and no link is ever followed: `linux.tree_copy`, which works by
path, is for trees of one's own. Sockets are left out: they are somebody's, not data.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import ExitStack

from naru.linux import safe_path, xattr

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NAMED = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 30
_PLAIN = safe_path.RESOLVE_NO_SYMLINKS | safe_path.RESOLVE_BENEATH
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


def copy_children(source: int, target: int) -> None:
    """Copy all that is in the open directory `source` into the open directory `target`.

    Names that `target` has already are left as they are, directories too.

    Raises:
        OSError: the disk refused; what was copied so far stays.
    """
    _TreeCopy(target).children(source, target)


def copy_attributes(source: int, target: int, status: os.stat_result | None = None) -> None:
    """Give the open directory `target` owner, mode, times and attributes of `source`.

    `status` is what it had before it was changed, if it was.

    Raises:
        OSError: refused.
    """
    status = status or os.fstat(source)
    os.fchown(target, status.st_uid, status.st_gid)
    os.fchmod(target, stat.S_IMODE(status.st_mode))
    _copy_xattrs(b"/proc/self/fd/%d/." % source, b"/proc/self/fd/%d/." % target)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))


class _TreeCopy:
    """One copy in progress: what it knows of hard links."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._first_names: dict[tuple[int, int], tuple[bytes, int, int]] = {}

    def children(self, source: int, target: int, path: bytes = b"") -> None:
        for name in sorted(map(os.fsencode, os.listdir(source))):
            status = os.stat(name, dir_fd=source, follow_symlinks=False)
            own_path = path + b"/" + name if path else name
            if stat.S_ISDIR(status.st_mode):
                self._directory(source, target, name, own_path)
            elif not stat.S_ISSOCK(status.st_mode):
                self._file(source, target, name, own_path, status)

    def _directory(self, source: int, target: int, name: bytes, path: bytes) -> None:
        try:
            os.mkdir(name, 0o700, dir_fd=target)
        except FileExistsError:
            return
        with ExitStack() as opened:
            inner_source = os.open(name, _DIRECTORY, dir_fd=source)
            opened.callback(os.close, inner_source)
            inner_target = os.open(name, _DIRECTORY, dir_fd=target)
            opened.callback(os.close, inner_target)
            self.children(inner_source, inner_target, path)
            copy_attributes(inner_source, inner_target)

    def _file(
        self, source: int, target: int, name: bytes, path: bytes, status: os.stat_result
    ) -> None:
        identity = (status.st_dev, status.st_ino)
        try:
            if status.st_nlink > 1 and self._link_to_first(identity, target, name):
                return
            _make(source, target, name, status)
        except FileExistsError:
            return
        made = os.open(name, _NAMED, dir_fd=target)
        try:
            if status.st_nlink > 1:
                copied = os.fstat(made)
                self._first_names[identity] = (path, copied.st_dev, copied.st_ino)
            os.chown(name, status.st_uid, status.st_gid, dir_fd=target, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                # After the owner: changing that takes set-user-id bits and capabilities away.
                os.chmod(b"/proc/self/fd/%d" % made, stat.S_IMODE(status.st_mode))
        finally:
            os.close(made)
        _copy_xattrs(xattr.path_at(source, name), xattr.path_at(target, name))
        times = (status.st_atime_ns, status.st_mtime_ns)
        os.utime(name, ns=times, dir_fd=target, follow_symlinks=False)

    def _link_to_first(self, identity: tuple[int, int], target: int, name: bytes) -> bool:
        """Make a hard link to the copy of the same file; False if there is none, or not now."""
        if identity not in self._first_names:
            return False
        path, *copied = self._first_names[identity]
        try:
            first = safe_path.openat2(self._root, path, _NAMED, 0, _PLAIN)
        except OSError:
            return False
        try:
            status = os.fstat(first)
            if [status.st_dev, status.st_ino] != copied:
                return False
            os.link(f"/proc/self/fd/{first}", name, dst_dir_fd=target, follow_symlinks=True)
        finally:
            os.close(first)
        return True


def _make(source: int, target: int, name: bytes, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(name, dir_fd=source), name, dir_fd=target)
    elif stat.S_ISREG(status.st_mode):
        _copy_content(source, target, name)
    else:
        os.mknod(name, status.st_mode, status.st_rdev, dir_fd=target)


def _copy_content(source: int, target: int, name: bytes) -> None:
    with ExitStack() as opened:
        reader = os.open(name, _READ, dir_fd=source)
        opened.callback(os.close, reader)
        writer = os.open(name, _WRITE, 0o600, dir_fd=target)
        opened.callback(os.close, writer)
        try:
            while os.copy_file_range(reader, writer, _CHUNK_BYTES):
                pass
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            while os.sendfile(writer, reader, None, _CHUNK_BYTES):
                pass


def _copy_xattrs(source: bytes, target: bytes) -> None:
    for name, value in xattr.read_all(source).items():
        try:
            os.setxattr(target, name, value, follow_symlinks=False)
        except OSError as error:
            if error.errno != errno.ENOTSUP:
                raise
