"""Quotas of directories: the file system counts what is below one, and says when it is full.

A directory is given a project of its own, which whatever is made below it inherits; the limit
is the project's. XFS has it when it is mounted with `pquota`. ext4 has the same calls, but lets
through who has CAP_SYS_RESOURCE, and overlay writes with the rights of whoever mounted it: it
would be a limit for nobody. Blocking, microseconds.

Spec: quotactl(2), quotactl_fd(2), xfsctl's FS_IOC_FSSETXATTR; linux/dqblk_xfs.h, linux/fs.h.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from naru.errors import NotSupportedError

_SYS_QUOTACTL_FD: Final = 443
# statfs(2); the structure is smaller everywhere.
_XFS, _STATUS_BYTES = 0x58465342, 256
_PROJECT: Final = 2
_SET_LIMIT, _GET_STATE = 0x5804, 0x5805
_ENFORCED: Final = 1 << 5
_STATE_FLAGS: Final = struct.Struct("=bxH76x")
# version, flags, fields, id, hard and soft limit in blocks of 512; the rest is left alone.
_DISK_QUOTA: Final = struct.Struct("=bbHIQQ88x")
_VERSION, _PROJECT_QUOTA = 1, 2
_LIMITS: Final = 1 << 2 | 1 << 3
_BLOCK: Final = 512
# flags, extent size, extents, project, extent size of copies.
_ATTRIBUTES: Final = struct.Struct("=IIIII8x")
_GET_ATTRIBUTES, _SET_ATTRIBUTES = 0x801C581F, 0x401C5820
_INHERIT: Final = 0x200
_libc = ctypes.CDLL(None, use_errno=True)
_HAS_NONE: Final = (
    errno.ENOSYS,
    errno.ENOTTY,
    errno.EOPNOTSUPP,
    errno.ESRCH,
    errno.EINVAL,
    errno.ENOTBLK,
    errno.EPERM,
)


def is_enforced(directory: Path) -> bool:
    """Say whether the file system of `directory` enforces limits of projects, on everybody."""
    if _file_system(directory) != _XFS:
        return False
    state = ctypes.create_string_buffer(_STATE_FLAGS.size)
    try:
        _control(directory, _GET_STATE, 0, state)
    except OSError:
        return False
    _, flags = _STATE_FLAGS.unpack(state.raw)
    return bool(flags & _ENFORCED)


def limit(directories: Sequence[Path], size_bytes: int) -> None:
    """Let what is in these empty directories, and comes to be below them, take so much together.

    The project is numbered after the first directory, so that it is nobody else's while that is
    there. Call `release` before it is removed.

    Raises:
        NotSupportedError: the file system has no such quotas, or does not enforce them.
        OSError: it fails.
    """
    first = directories[0]
    if not is_enforced(first):
        raise NotSupportedError(f"{first} is on a file system without project quotas")
    project = first.stat().st_ino & 0xFFFFFFFF
    try:
        _set_limit(first, project, size_bytes)
        for directory in directories:
            _join(directory, project)
    except OSError as error:
        if error.errno in _HAS_NONE:
            raise NotSupportedError(f"{first}: {error.strerror}") from error
        raise


def release(directory: Path) -> None:
    """Forget the limit of a directory that has one. Idempotent; harmless without one."""
    try:
        project = _project_of(directory)
        if project:
            _set_limit(directory, project, 0)
    except OSError:
        return  # Without the directory, or without quotas, there is no limit.


def _set_limit(directory: Path, project: int, size_bytes: int) -> None:
    blocks = -(-size_bytes // _BLOCK)
    wanted = _DISK_QUOTA.pack(_VERSION, _PROJECT_QUOTA, _LIMITS, project, blocks, blocks)
    _control(directory, _SET_LIMIT, project, ctypes.create_string_buffer(wanted, len(wanted)))


def _join(directory: Path, project: int) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attributes = bytearray(_ATTRIBUTES.size)
        fcntl.ioctl(descriptor, _GET_ATTRIBUTES, attributes)
        flags, extent_size, extents, _, copy_size = _ATTRIBUTES.unpack(attributes)
        wanted = _ATTRIBUTES.pack(flags | _INHERIT, extent_size, extents, project, copy_size)
        fcntl.ioctl(descriptor, _SET_ATTRIBUTES, wanted)
    finally:
        os.close(descriptor)


def _file_system(directory: Path) -> int:
    """Return the magic number of the file system's type; 0 where there is no such directory."""
    status = ctypes.create_string_buffer(_STATUS_BYTES)
    if _libc.statfs(os.fsencode(directory), status):
        return 0
    return ctypes.c_long.from_buffer(status).value


def _project_of(directory: Path) -> int:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        attributes = bytearray(_ATTRIBUTES.size)
        fcntl.ioctl(descriptor, _GET_ATTRIBUTES, attributes)
    finally:
        os.close(descriptor)
    flags, _, _, project, _ = _ATTRIBUTES.unpack(attributes)
    return int(project) if flags & _INHERIT else 0


def _control(
    directory: Path, command: int, project: int, data: ctypes.Array[ctypes.c_char]
) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = _libc.syscall(
            _SYS_QUOTACTL_FD,
            ctypes.c_uint(descriptor),
            ctypes.c_uint(command << 8 | _PROJECT),
            ctypes.c_uint(project),
            data,
        )
        if status:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(directory))
    finally:
        os.close(descriptor)
