"""Mounts as descriptors: copies of mount trees that no path leads to until they are put somewhere.

What mount(2) cannot do in one step can be done to such a copy before anybody sees it: changing
who owns its files (an ID-mapped mount), or making it read-only with all that is mounted below.
The kernel drops a copy that was put nowhere with its descriptor, also when this process is killed.

Spec: open_tree(2), move_mount(2), mount_setattr(2); since Linux 5.12. ID mapping needs a file
system that can do it, and 5.19 for the layers of an overlay.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path
from struct import Struct
from typing import Final

from naru.errors import FaultError

_SYS_OPEN_TREE: Final = 428
_SYS_MOVE_MOUNT: Final = 429
_SYS_MOUNT_SETATTR: Final = 442
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000
_OPEN_TREE_CLONE: Final = 0x1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 0x4
_ATTR_RDONLY: Final = 0x1
_ATTR_IDMAP: Final = 0x00100000
# struct mount_attr: attr_set, attr_clr, propagation, userns_fd
_ATTR: Final = Struct("QQQQ")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


@contextlib.contextmanager
def copied(source: Path | int, *, recursive: bool = False) -> Iterator[int]:
    """Yield a descriptor of a copy of what is mounted at `source`, a path or a descriptor.

    `recursive` takes along what is mounted below.

    Raises:
        FaultError: the kernel refused.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    if isinstance(source, int):
        place, path, flags = source, b"", flags | _AT_EMPTY_PATH
    else:
        place, path = _AT_FDCWD, os.fsencode(source)
    descriptor = _call(f"copy the mount of {source}", _SYS_OPEN_TREE, place, path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def map_ids(copy: int, user_namespace: int) -> None:
    """Let the files of a copy belong to whom `user_namespace` maps their owners to.

    Raises:
        FaultError: the file system cannot do that, or the kernel refused.
    """
    _set_attributes(copy, _ATTR_IDMAP, user_namespace)


def make_read_only(copy: int) -> None:
    """Let nothing be written through a copy, nor through what is mounted below.

    Raises:
        FaultError: the kernel refused.
    """
    _set_attributes(copy, _ATTR_RDONLY, 0)


def put(copy: int, target: Path) -> None:
    """Mount a copy on `target`; its descriptor goes on to name it.

    Raises:
        FaultError: the kernel refused.
    """
    _call(
        f"mount on {target}",
        _SYS_MOVE_MOUNT,
        copy,
        b"",
        _AT_FDCWD,
        os.fsencode(target),
        _MOVE_MOUNT_F_EMPTY_PATH,
    )


def _set_attributes(copy: int, attributes: int, user_namespace: int) -> None:
    packed = _ATTR.pack(attributes, 0, 0, user_namespace)
    _call(
        "change a mount",
        _SYS_MOUNT_SETATTR,
        copy,
        b"",
        _AT_EMPTY_PATH | _AT_RECURSIVE,
        packed,
        len(packed),
    )


def _call(what: str, *arguments: int | bytes) -> int:
    # Through a variadic function all numbers travel as longs.
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result = int(_libc.syscall(*words))
    if result < 0:
        raise FaultError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
