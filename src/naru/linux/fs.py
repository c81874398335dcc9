"""Files and trees, handled so that a crash or a hostile tree cannot hurt: atomic writes, safe removal.

Walks by directory descriptors: no step follows a symbolic link or enters another mount.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

from naru.linux import safe_path

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_GET_FLAGS, _SET_FLAGS = 0x80086601, 0x40086602
_TOP_DIRECTORY = 0x20000
_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02
_START_WRITING = 0x02
_PAGE_BYTES = 4096
_MAX_PIECES = 512
_KEPT_FREE = 16 << 20
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_libc = ctypes.CDLL(None, use_errno=True)
_GONE = (errno.ENOENT, errno.ENOTDIR)
# Deeper than any path that could have been made through the API, shallower than Python's stack.
_MAX_OPEN_DEPTH = 256


def write_atomic(path: Path, data: bytes | str, mode: int = 0o644, *, fsync: bool = False) -> None:
    """Replace the content of `path`: readers see the old file or the new one, never a part.

    With `fsync`, it also survives a power cut. Nothing is left behind on failure, other than
    by a kill, which may leave a `.<name>.<random>` beside it.
    """
    content = data.encode() if isinstance(data, str) else data
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(temporary, flags, mode)
    try:
        try:
            # The process's umask must not decide who can read.
            os.fchmod(descriptor, mode)
            write_all(descriptor, content)
            if fsync:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if fsync:
        fsync_dir(path.parent)


def free_start(path: Path, size: int) -> None:
    """Give back the disk space of the first `size` bytes that `path` still has, in whole blocks.

    The file keeps its length; what was there reads as zeros, and `data_start` finds its end.
    Nothing happens on file systems that know no holes.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        end = (data_start(descriptor) + size) // _PAGE_BYTES * _PAGE_BYTES
        mode = _PUNCH_HOLE | _KEEP_SIZE
        if end and _libc.fallocate(descriptor, mode, ctypes.c_long(0), ctypes.c_long(end)):
            number = ctypes.get_errno()
            if number not in (errno.EOPNOTSUPP, errno.ENOSYS):
                raise OSError(number, os.strerror(number), str(path))
    finally:
        os.close(descriptor)


def data_start(descriptor: int) -> int:
    """Return where the first byte of a file is that takes space on the disk; its end if none.

    The descriptor's own position moves there.
    """
    try:
        return os.lseek(descriptor, 0, os.SEEK_DATA)
    except OSError as error:
        # ENXIO: nothing but a hole, or nothing at all.
        return os.fstat(descriptor).st_size if error.errno == errno.ENXIO else 0


def write_all(descriptor: int, data: bytes | bytearray | memoryview) -> None:
    """Write every byte; write(2) may stop early."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def write_pieces(descriptor: int, pieces: Sequence[bytes | bytearray | memoryview]) -> None:
    """Write every byte of every piece, in order."""
    rest = [memoryview(piece) for piece in pieces if len(piece)]
    while rest:
        written = os.writev(descriptor, rest[:_MAX_PIECES])
        while rest and written >= len(rest[0]):
            written -= len(rest.pop(0))
        if written:
            rest[0] = rest[0][written:]


def start_write_back(descriptor: int, start: int, end: int) -> None:
    """Have the kernel begin to write these bytes of a file to the disk, without waiting for it.

    A hint: it promises nothing, but whoever calls fsync(2) later waits for less.

    Spec: sync_file_range(2), SYNC_FILE_RANGE_WRITE.
    """
    _libc.sync_file_range(
        descriptor, ctypes.c_int64(start), ctypes.c_int64(end - start), _START_WRITING
    )


def require_room(descriptor: int) -> None:
    """Refuse to fill up a file system: what removes things again has to be written down, too.

    16 MB are left free, or an eighth of a small one.

    Raises:
        OSError: ENOSPC, as if it were full.
    """
    status = os.fstatvfs(descriptor)
    kept = min(_KEPT_FREE, status.f_blocks * status.f_frsize // 8)
    if status.f_bfree * status.f_frsize < kept:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def free_bytes(path: Path) -> int:
    """Return how much anybody may still write to the file system of `path`.

    Raises:
        OSError: there is no such path.
    """
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def is_nearly_full(path: Path) -> bool:
    """Say whether less than a tenth of the file system of `path` is free.

    Raises:
        OSError: there is no such path.
    """
    status = os.statvfs(path)
    return status.f_bavail * 10 < status.f_blocks


def fsync_dir(path: Path) -> None:
    """Make the names in a directory survive a power cut."""
    descriptor = os.open(path, _DIRECTORY & ~os.O_NOFOLLOW)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def spread_subdirectories(path: Path) -> None:
    """Ask the filesystem to put the directories in `path` far from each other. Best effort.

    ext4 will not use an inode again for minutes after its deletion, and finds the next free one
    by a search along the deleted ones: a tree unpacked where another was removed takes ten
    times as long. Spread out, trees do not meet.

    Spec: chattr(1), attribute T; ioctl_iflags(2).
    """
    descriptor = os.open(path, _DIRECTORY)
    try:
        flags = bytearray(8)
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
        value = int.from_bytes(flags[:4], sys.byteorder) | _TOP_DIRECTORY
        fcntl.ioctl(descriptor, _SET_FLAGS, value.to_bytes(4, sys.byteorder) + bytes(4))
    except OSError as error:
        if error.errno not in (errno.ENOTTY, errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL):
            raise
    finally:
        os.close(descriptor)


def exchange(first: Path, second: Path) -> None:
    """Let two names of one file system change places. Atomic: nobody sees one of them missing.

    Raises:
        OSError: one is not there, or the file system cannot do that.

    Spec: renameat2(2), RENAME_EXCHANGE.
    """
    names = os.fsencode(first), os.fsencode(second)
    if _libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(second))


def remove_tree(path: Path) -> None:
    """Delete a file or a tree. Idempotent; never follows links, never crosses into a mount.

    Removal goes on as far as it can; the first obstacle is raised at the end.

    Raises:
        OSError: something could not be removed; a mount inside the tree gives EBUSY.
    """
    try:
        parent = os.open(path.parent, _DIRECTORY & ~os.O_NOFOLLOW)
    except OSError as error:
        if error.errno in _GONE:
            return
        raise
    try:
        _remove_entry(parent, path.name, 0)
    finally:
        os.close(parent)


def remove_at(parent: int, name: str | bytes) -> None:
    """Do as `remove_tree` does to `name` in the open directory `parent`."""
    _remove_entry(parent, name, 0)


def _remove_entry(parent: int, name: str | bytes, depth: int) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except IsADirectoryError:
        pass
    except PermissionError:
        # Some filesystems answer EPERM for a directory; so does an immutable file.
        if not _is_directory(parent, name):
            raise
    except FileNotFoundError:
        return
    else:
        return
    with contextlib.suppress(FileNotFoundError):
        _remove_directory(parent, name, depth)


def _remove_directory(parent: int, name: str | bytes, depth: int) -> None:
    try:
        os.rmdir(name, dir_fd=parent)
        return
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    descriptor = _open_directory(parent, name)
    failure: OSError | None = None
    try:
        if depth >= _MAX_OPEN_DEPTH:
            _flatten(descriptor)
        for entry in os.listdir(descriptor):
            try:
                _remove_entry(descriptor, entry, depth + 1)
            except OSError as error:
                failure = failure or error
    finally:
        os.close(descriptor)
    if failure is not None:
        raise failure
    os.rmdir(name, dir_fd=parent)


def _open_directory(parent: int, name: str | bytes) -> int:
    """Open a directory to empty it; one that is a mount, a bind of the same disk too, is not ours."""
    resolve = safe_path.RESOLVE_NO_XDEV | safe_path.RESOLVE_NO_SYMLINKS
    try:
        return safe_path.openat2(parent, os.fsencode(name), _DIRECTORY, 0, resolve)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise OSError(errno.EBUSY, "something is mounted here", os.fsdecode(name)) from error


def _flatten(descriptor: int) -> None:
    """Empty a directory by lifting what is below it one level up, again and again.

    A hostile tree can be deeper than the limits on open files and on Python's stack.
    """
    while entries := os.listdir(descriptor):
        for entry in entries:
            try:
                os.unlink(entry, dir_fd=descriptor)
            except (IsADirectoryError, PermissionError):
                _lift(descriptor, entry)


def _lift(descriptor: int, entry: str) -> None:
    child = _open_directory(descriptor, entry)
    try:
        for grandchild in os.listdir(child):
            fresh = os.urandom(8).hex()
            os.rename(grandchild, fresh, src_dir_fd=child, dst_dir_fd=descriptor)
    finally:
        os.close(child)
    os.rmdir(entry, dir_fd=descriptor)


def _is_directory(parent: int, name: str | bytes) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def tree_size(path: Path) -> int:
    """Return the bytes of all files below `path`, each hard-linked file once; 0 if absent.

    Files that vanish meanwhile are left out, so that a tree in use can be measured.
    """
    total = 0
    linked: set[tuple[int, int]] = set()
    pending = [os.fspath(path)]
    while pending:
        try:
            entries = list(os.scandir(pending.pop()))
        except OSError as error:
            if error.errno in _GONE:
                continue
            raise
        for entry in entries:
            try:
                if entry.is_dir(follow_symlinks=False):
                    pending.append(entry.path)
                    continue
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_nlink > 1:
                identity = (status.st_dev, status.st_ino)
                if identity in linked:
                    continue
                linked.add(identity)
            if stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode):
                total += status.st_size
    return total
