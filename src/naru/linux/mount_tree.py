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
from naru.linux.mount import MS_PRIVATE

_SYS_OPEN_TREE: Final = 428
_SYS_MOVE_MOUNT: Final = 429
_SYS_MOUNT_SETATTR: Final = 442
_AT_FDCWD: Final = -100
_AT_EMPTY_PATH: Final = 0x1000
_AT_RECURSIVE: Final = 0x8000
_OPEN_TREE_CLONE: Final = 0x1
_MOVE_MOUNT_F_EMPTY_PATH: Final = 0x4
_MOVE_MOUNT_T_EMPTY_PATH: Final = 0x40
_ATTR_RDONLY: Final = 0x1
_ATTR_IDMAP: Final = 0x00100000
# struct mount_attr: attr_set, attr_clr, propagation, userns_fd
_ATTR: Final = Struct("QQQQ")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long


@contextlib.contextmanager
def copied(source: Path | int, *, recursive: bool = False, name: str = "") -> Iterator[int]:
    """Yield a descriptor of a copy of what is mounted at `source`, a path or a descriptor.

    `recursive` takes along what is mounted below; `name` is what errors call the source.

    Raises:
        FaultError: the kernel refused.
    """
    flags = _OPEN_TREE_CLONE | os.O_CLOEXEC | (_AT_RECURSIVE if recursive else 0)
    if isinstance(source, int):
        place, path, flags = source, b"", flags | _AT_EMPTY_PATH
    else:
        place, path = _AT_FDCWD, os.fsencode(source)
    descriptor = _call(f"copy the mount of {name or source}", _SYS_OPEN_TREE, place, path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def map_ids(copy: int, user_namespace: int) -> None:
    """Let the files of a copy belong to whom `user_namespace` maps their owners to.

    Raises:
        FaultError: the file system cannot do that, or the kernel refused.
    """
    _set_attributes(copy, _ATTR_IDMAP, user_namespace=user_namespace)


def make_read_only(copy: int) -> None:
    """Let nothing be written through a copy, nor through what is mounted below.

    Raises:
        FaultError: the kernel refused.
    """
    _set_attributes(copy, _ATTR_RDONLY)


def make_private(copy: int, *, read_only: bool, recursive: bool) -> None:
    """Keep what happens in a copy from travelling anywhere else; `read_only` keeps it from writing.

    `recursive` is about what is mounted below, for both.

    Raises:
        FaultError: the kernel refused.
    """
    attributes = _ATTR_RDONLY if read_only else 0
    _set_attributes(copy, attributes, propagation=MS_PRIVATE, recursive=recursive)


def put(copy: int, target: Path | int, *, name: str = "") -> None:
    """Mount a copy on `target`, a path or a descriptor; its own descriptor goes on to name it.

    `name` is what errors call the target.

    Raises:
        FaultError: the kernel refused.
    """
    flags = _MOVE_MOUNT_F_EMPTY_PATH
    if isinstance(target, int):
        place, path, flags = target, b"", flags | _MOVE_MOUNT_T_EMPTY_PATH
    else:
        place, path = _AT_FDCWD, os.fsencode(target)
    _call(f"mount on {name or target}", _SYS_MOVE_MOUNT, copy, b"", place, path, flags)


def _set_attributes(
    copy: int,
    attributes: int,
    *,
    propagation: int = 0,
    user_namespace: int = 0,
    recursive: bool = True,
) -> None:
    packed = _ATTR.pack(attributes, 0, propagation, user_namespace)
    flags = _AT_EMPTY_PATH | (_AT_RECURSIVE if recursive else 0)
    _call("change a mount", _SYS_MOUNT_SETATTR, copy, b"", flags, packed, len(packed))


def _call(what: str, *arguments: int | bytes) -> int:
    # Through a variadic function all numbers travel as longs.
    words = [ctypes.c_long(a) if isinstance(a, int) else ctypes.c_char_p(a) for a in arguments]
    result = int(_libc.syscall(*words))
    if result < 0:
        raise FaultError(f"{what}: {os.strerror(ctypes.get_errno())}")
    return result
