"""Mounting and unmounting by direct system calls: no forks, no mount(8).

Owns the `Mount` value that snapshotters return and bundles consume. Everything here blocks, for
a millisecond at most, and belongs on a worker thread.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from naru.errors import FaultError, InvalidInputError, NaruError

MS_RDONLY = 0x1
MS_NOSUID = 0x2
MS_NODEV = 0x4
MS_NOEXEC = 0x8
MS_REMOUNT = 0x20
MS_BIND = 0x1000
MS_REC = 0x4000
MS_PRIVATE = 1 << 18
MS_SLAVE = 1 << 19
MNT_DETACH = 0x2
_UMOUNT_NOFOLLOW = 0x8
CLONE_FS = 0x200
CLONE_NEWNS = 0x20000
# Covered for an instant, in a namespace that nobody else sees.
_HIDDEN_PLACE = Path("/proc")
# The kernel reads one page of options, with the closing zero in it.
_MAX_DATA = os.sysconf("SC_PAGE_SIZE") - 1
_PATH_OPTIONS = frozenset({"lowerdir", "upperdir", "workdir"})

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Mount:
    """One call of mount(2). `target` is relative to where the stack of mounts is put."""

    type: str
    source: str
    target: str = ""
    flags: int = 0
    data: str = ""

    @property
    def read_only(self) -> bool:
        """Whether nothing can be written through it."""
        return bool(self.flags & MS_RDONLY)


def mount_all(mounts: Sequence[Mount], target: Path) -> None:
    """Put a stack of mounts on the directory `target`, in order.

    Atomic: if one fails, those before it are taken off again.

    Raises:
        FaultError: the kernel refused; the message names the mount and the reason.
    """
    done: list[Path] = []
    try:
        for mount in mounts:
            place = target / mount.target if mount.target else target
            _mount_one(mount, place)
            done.append(place)
    except BaseException:
        for place in reversed(done):
            unmount(place, lazy=True)
        raise


def bind(source: Path, target: Path, *, read_only: bool = False, recursive: bool = True) -> None:
    """Make the file or directory `source` visible at `target`, which must exist.

    Raises:
        FaultError: the kernel refused.
    """
    flags = MS_BIND | (MS_REC if recursive else 0) | (MS_RDONLY if read_only else 0)
    _mount_one(Mount(type="bind", source=os.fspath(source), flags=flags), target)


def unmount(path: Path, *, lazy: bool = False) -> None:
    """Take the topmost mount off `path`. Idempotent: nothing mounted there is no error.

    `lazy` detaches a mount that is in use; it goes when its last user does.

    Raises:
        FaultError: the mount is busy, or the kernel refused for another reason.
    """
    flags = _UMOUNT_NOFOLLOW | (MNT_DETACH if lazy else 0)
    if _libc.umount2(os.fsencode(path), flags) == 0:
        return
    number = ctypes.get_errno()
    if number not in (errno.EINVAL, errno.ENOENT, errno.ENOTDIR):
        raise FaultError(f"unmount {path}: {os.strerror(number)}")


@contextlib.contextmanager
def detached(mounts: Sequence[Mount]) -> Iterator[int]:
    """Mount a stack that no path leads to, and yield a descriptor of its root directory.

    For work on a tree that must leave no mount behind: it is made in a mount namespace that
    ends at once, so that the kernel drops it with the last descriptor, also when this process
    is killed. Other processes never see it.

    Raises:
        FaultError: the kernel refused.
    """

    def work() -> int:
        mount_all(mounts, _HIDDEN_PLACE)
        return os.open(_HIDDEN_PLACE, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    descriptor = in_private_namespace(work)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def in_private_namespace(work: Callable[[], T]) -> T:
    """Return what `work` returns, run by a thread in a mount namespace of its own.

    The thread has its own working directory and ends with the namespace: what `work` mounts is
    seen by nobody, and lives only as long as a descriptor of it.

    Raises:
        FaultError: the kernel refused.
    """

    def alone() -> T:
        unshare(CLONE_NEWNS | CLONE_FS)
        # Nothing done here may travel back to where the namespace was copied from, and what is
        # unmounted there must not be kept alive here.
        _raw_mount("", "/", "", MS_REC | MS_SLAVE, "")
        return work()

    return in_own_thread(alone)


def _mount_one(mount: Mount, place: Path) -> None:
    if mount.type == "bind":
        _raw_mount(mount.source, place, "", (mount.flags & ~MS_RDONLY) | MS_BIND, mount.data)
        if mount.read_only:
            # The kernel ignores read-only on the first bind; it takes a second call.
            try:
                _raw_mount("", place, "", MS_REMOUNT | MS_BIND | (mount.flags & ~MS_REC), "")
            except BaseException:
                unmount(place, lazy=True)
                raise
        return
    data = mount.data
    if len(os.fsencode(data)) <= _MAX_DATA:
        _raw_mount(mount.source, place, mount.type, mount.flags, data)
        return
    directory, data = _relative_options(data)
    if len(os.fsencode(data)) > _MAX_DATA:
        raise InvalidInputError(f"mount {place}: options take more than {_MAX_DATA} bytes")
    _mount_in(directory, mount, os.path.abspath(place), data)


def _relative_options(data: str) -> tuple[str, str]:
    """Rewrite overlay's paths relative to the directory that they share."""
    options = [option.partition("=") for option in data.split(",")]
    paths = [
        path
        for name, _, value in options
        if name in _PATH_OPTIONS
        for path in value.split(":")
        if path.startswith("/")
    ]
    if not paths:
        return "/", data
    shared = os.path.commonpath([os.path.dirname(path) for path in paths])
    prefix = shared.rstrip("/") + "/"
    rewritten = [
        f"{name}={':'.join(path.removeprefix(prefix) for path in value.split(':'))}"
        if name in _PATH_OPTIONS
        else name + equals + value
        for name, equals, value in options
    ]
    return shared, ",".join(rewritten)


def _mount_in(directory: str, mount: Mount, place: str, data: str) -> None:
    """Mount from a thread whose working directory is its own, so that short paths work."""

    def work() -> None:
        unshare(CLONE_FS)
        os.chdir(directory)
        _raw_mount(mount.source, place, mount.type, mount.flags, data)

    in_own_thread(work)


def in_own_thread(work: Callable[[], T]) -> T:
    """Run `work` in a thread that may change what it shares with others, and ends after it."""
    answer: list[T] = []
    failure: list[Exception] = []

    def run() -> None:
        try:
            answer.append(work())
        except (OSError, NaruError) as error:
            failure.append(error)

    thread = threading.Thread(target=run, name="mount")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return answer[0]


def unshare(flags: int) -> None:
    """Part the calling thread from what it shares with others: one that `in_own_thread` made.

    Raises:
        FaultError: the kernel refused.
    """
    if _libc.unshare(flags) != 0:
        raise FaultError(f"unshare: {os.strerror(ctypes.get_errno())}")


def _raw_mount(source: str, place: Path | str, type_: str, flags: int, data: str) -> None:
    status = _libc.mount(
        os.fsencode(source), os.fsencode(place), os.fsencode(type_), flags, os.fsencode(data)
    )
    if status != 0:
        number = ctypes.get_errno()
        shown = data if len(data) <= 200 else f"{data[:200]}…"
        raise FaultError(f"mount {type_ or source} on {place} ({shown}): {os.strerror(number)}")
