"""Network namespaces with a name in the file system.

A name is a bind mount of the namespace on an empty file, as iproute2 does it: the namespace
lives while a process is inside or the mount is there. Namespaces belong to threads, so all work
inside one is done by a thread that ends afterwards: no thread that goes on ever leaves its own.

Spec: network_namespaces(7), unshare(2), setns(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from naru.errors import FaultError
from naru.linux import user_namespaces

T = TypeVar("T")

_CLONE_NEWNET = 0x40000000
_MS_BIND = 0x1000
_MNT_DETACH = 0x2
_OWN_NETNS = b"/proc/thread-self/ns/net"
_libc = ctypes.CDLL(None, use_errno=True)


def create_netns(path: Path, inside: Callable[[], T], owner: Path | None = None) -> T:
    """Make a network namespace named `path` and return what `inside` returns, run within it.

    It belongs to the user namespace `owner`, or to our own: root of that one may do there what
    root does to a network. Atomic: when `inside` or the kernel fails, nothing is left. `inside`
    runs in a thread of its own; sockets that it opens stay in the new namespace wherever they are
    used later.

    Raises:
        FaultError: the kernel refused, or `path` is in use.
    """

    def work() -> T:
        if owner is None:
            _call(_libc.unshare(_CLONE_NEWNET), f"make network namespace {path}")
        else:
            with user_namespaces.netns_owned_by(owner) as made:
                _enter(made)
        result = inside()
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
        except FileExistsError as error:
            raise FaultError(f"network namespace {path} exists already") from error
        try:
            mounted = _libc.mount(_OWN_NETNS, os.fsencode(path), None, _MS_BIND, None)
            _call(mounted, f"mount network namespace on {path}")
        except FaultError:
            path.unlink()
            raise
        return result

    return _in_thread(work)


def in_netns(path: Path, inside: Callable[[], T]) -> T:
    """Return what `inside` returns, run by a thread within the namespace named `path`.

    Raises:
        FaultError: there is no such namespace.
    """

    def work() -> T:
        _enter(path)
        return inside()

    return _in_thread(work)


def _enter(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise FaultError(f"enter network namespace {path}: {error.strerror}") from error
    try:
        entered = _libc.setns(descriptor, _CLONE_NEWNET)
        _call(entered, f"enter network namespace {path}")
    finally:
        os.close(descriptor)


def delete_netns(path: Path) -> None:
    """Take the name from a namespace, which then ends with its last process. Idempotent.

    The kernel removes the interfaces inside a little later.

    Raises:
        FaultError: the kernel refused.
    """
    while _libc.umount2(os.fsencode(path), _MNT_DETACH) == 0:
        pass
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOENT):
        raise FaultError(f"unmount network namespace {path}: {os.strerror(number)}")
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def is_netns(path: Path) -> bool:
    """Say whether `path` names a namespace, and is not just the file below one."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except FileNotFoundError:
        return False


def _in_thread(work: Callable[[], T]) -> T:
    # Not a pool to be kept: the thread must end, since it may be in another namespace.
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="naru-netns") as thread:
        return thread.submit(work).result()


def _call(status: int, what: str) -> None:
    if status != 0:
        raise FaultError(f"{what}: {os.strerror(ctypes.get_errno())}")
