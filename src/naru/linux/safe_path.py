"""Opening files below a root that somebody hostile may have filled.

Symbolic links are followed as if the root were the whole world: `/` and `..` never lead out of
it, also while the tree changes under our feet. The kernel does the work.

Spec: openat2(2), RESOLVE_IN_ROOT.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from struct import Struct

from naru.errors import CorruptDataError

RESOLVE_NO_XDEV = 0x01
RESOLVE_NO_MAGICLINKS = 0x02
RESOLVE_NO_SYMLINKS = 0x04
RESOLVE_BENEATH = 0x08
RESOLVE_IN_ROOT = 0x10
_SYS_OPENAT2 = 437
_HOW = Struct("QQQ")
# The kernel gives up after a race with a rename; it says so with EAGAIN.
_ATTEMPTS = 64

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.syscall.argtypes = (
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_size_t,
)


def openat2(root: int, path: bytes, flags: int, mode: int = 0, resolve: int = 0) -> int:
    """Open `path` relative to the descriptor `root`; descriptors are close-on-exec.

    Raises:
        OSError: as open(2); ELOOP and EXDEV when `resolve` forbids the way.
    """
    how = _HOW.pack(flags | os.O_CLOEXEC, mode, resolve)
    number = errno.EAGAIN
    for _ in range(_ATTEMPTS):
        descriptor = int(_libc.syscall(_SYS_OPENAT2, root, path, how, _HOW.size))
        if descriptor >= 0:
            return descriptor
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number), os.fsdecode(path))


def open_at(root: int, path: str | bytes, flags: int, mode: int = 0) -> int:
    """Open `path` as if the directory `root` were `/`. Raises OSError as open(2) does."""
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), os.fsdecode(raw))
    return openat2(root, raw or b".", flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)


def open_beneath(root: Path, path: str | bytes, flags: int, mode: int = 0) -> int:
    """Open `path` as if the directory `root` were `/`; returns a descriptor to close.

    Raises:
        OSError: as open(2).
    """
    with _directory(root) as descriptor:
        return open_at(descriptor, path, flags, mode)


def read_text(root: Path, path: str, limit: int = 1 << 20) -> str | None:
    """Return a small text file below `root`; None if it is absent or no regular file.

    Bytes that are no UTF-8 come back as surrogates.

    Raises:
        CorruptDataError: larger than `limit` bytes.
        OSError: the disk fails.
    """
    try:
        # A fifo must not hold us up, and a terminal must not become ours.
        descriptor = open_beneath(root, path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENODEV):
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        data = b""
        while piece := os.read(descriptor, limit + 1 - len(data)):
            data += piece
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise CorruptDataError(f"{path}: larger than {limit} bytes")
    return data.decode("utf-8", "surrogateescape")


def make_dirs_at(root: int, path: bytes, mode: int = 0o755) -> int:
    """Make the directory `path` below `root`, a descriptor, with its parents; return its own.

    Idempotent. Links on the way are followed inside the root; a dangling one is an obstacle.

    Raises:
        OSError: something on the way is no directory.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    try:
        return open_at(root, b"/".join(names), flags)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    current = open_at(root, b".", flags)
    try:
        for depth, name in enumerate(names, start=1):
            with contextlib.suppress(FileExistsError):
                os.mkdir(name, mode, dir_fd=current)
            try:
                following = openat2(current, name, flags, 0, RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH)
            except OSError as error:
                if error.errno not in (errno.ELOOP, errno.EXDEV):
                    raise
                # From the root again: a link must stay inside it, and so must `..`.
                following = open_at(root, b"/".join(names[:depth]), flags)
            os.close(current)
            current = following
    except BaseException:
        os.close(current)
        raise
    return current


def without_links(path: str, read_link: Callable[[str], str | None], *, most_links: int) -> str:
    """Return where `path` leads in a root, as an absolute path; what is not there is kept.

    `read_link` gives the target of the link at a relative path, or None where no link is. For
    names that are told to somebody, or trees that stand still: what is opened is resolved by
    the kernel.

    Raises:
        OSError: there are more than `most_links`, as when they lead in a circle.
    """
    waiting = [part for part in reversed(path.split("/")) if part not in ("", ".")]
    resolved: list[str] = []
    links = 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            del resolved[-1:]
            continue
        target = read_link("/".join([*resolved, part]))
        if target is None:
            resolved.append(part)
            continue
        links += 1
        if links > most_links:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        if target.startswith("/"):
            resolved.clear()
        waiting += [step for step in reversed(target.split("/")) if step not in ("", ".")]
    return "/" + "/".join(resolved)


@contextlib.contextmanager
def _directory(root: Path) -> Iterator[int]:
    descriptor = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
