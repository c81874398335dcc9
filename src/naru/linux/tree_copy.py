"""A directory tree copied whole: owners, modes, times, attributes, devices, hard links.

Blocks on the disk. Walks by names below two directories that nobody else writes to.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from naru.linux import xattr

_FICLONE = 0x40049409
_CHUNK = 1 << 30
_NOT_HERE = (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)


def copy_tree(source: Path, target: Path) -> None:
    """Copy what is in the directory `source` into the existing directory `target`.

    Neither follows symbolic links. What is in `target` under the same name is an error, so an
    empty one is what callers pass. A failure leaves a part: throw it away.

    Raises:
        OSError: the disk is full, or fails.
    """
    linked: dict[tuple[int, int], bytes] = {}
    pending = [(os.fsencode(source), os.fsencode(target))]
    directories = []
    while pending:
        here, there = pending.pop()
        directories.append((here, there))
        for entry in os.scandir(here):
            destination = os.path.join(there, entry.name)
            status = entry.stat(follow_symlinks=False)
            identity = (status.st_dev, status.st_ino)
            if identity in linked:
                os.link(linked[identity], destination, follow_symlinks=False)
                continue
            if stat.S_ISDIR(status.st_mode):
                os.mkdir(destination)
                pending.append((entry.path, destination))
                continue
            if status.st_nlink > 1:
                linked[identity] = destination
            _copy_one(entry.path, destination, status)
    for here, there in reversed(directories):
        copy_attributes(here, there, os.lstat(here))


def copy_attributes(source: bytes, target: bytes, status: os.stat_result) -> None:
    """Give `target` the owner, mode, attributes and times of `source`; follows no link."""
    os.chown(target, status.st_uid, status.st_gid, follow_symlinks=False)
    if not stat.S_ISLNK(status.st_mode):
        os.chmod(target, stat.S_IMODE(status.st_mode))
    for attribute, value in xattr.read_all(source).items():
        # What overlay notes about one directory is wrong for its copy.
        if not attribute.startswith(("trusted.overlay.", "user.overlay.")):
            os.setxattr(target, attribute, value, follow_symlinks=False)
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


def _copy_one(source: bytes, target: bytes, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(source), target)
    elif stat.S_ISREG(status.st_mode):
        _copy_file(source, target, status.st_size)
    else:
        os.mknod(target, status.st_mode, status.st_rdev)
    copy_attributes(source, target, status)


def _copy_file(source: bytes, target: bytes, size: int) -> None:
    with (
        open(source, "rb", buffering=0) as reader,
        open(target, "xb", buffering=0) as writer,
    ):
        try:
            fcntl.ioctl(writer, _FICLONE, reader.fileno())
            return
        except OSError as error:
            if error.errno not in (*_NOT_HERE, errno.ENOTTY):
                raise
        position = 0
        while position < size:
            try:
                start = os.lseek(reader.fileno(), position, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                # Only a hole is left.
                break
            end = min(os.lseek(reader.fileno(), start, os.SEEK_HOLE), size)
            position = _copy_range(reader.fileno(), writer.fileno(), start, end)
            if position < end:
                return
        os.ftruncate(writer.fileno(), size)


def _copy_range(reader: int, writer: int, start: int, end: int) -> int:
    """Copy the bytes from `start` to `end` and return how far it came: the file may be shorter."""
    while start < end:
        length = min(end - start, _CHUNK)
        try:
            count = os.copy_file_range(reader, writer, length, start, start)
        except OSError as error:
            if error.errno not in _NOT_HERE:
                raise
            os.lseek(writer, start, os.SEEK_SET)
            count = os.sendfile(writer, reader, start, length)
        if count == 0:
            break
        start += count
    return start
