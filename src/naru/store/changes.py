"""What a snapshot changed: paths that were added, modified or deleted below its parents.

Two ways to find out, with one answer: an overlay's upper directory over the merged view below it,
and a whole tree against the tree that it was copied from. The tree may be in use: what vanishes
while it is looked at is left out. Blocks on the disk; runs on any thread.

Spec: kernel, filesystems/overlayfs.rst §whiteouts and opaque directories; moby, pkg/archive,
ChangesDirs.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from naru.errors import FaultError
from naru.linux import safe_path, xattr
from naru.store import whiteout

_OPAQUE = "trusted.overlay.opaque"
_PLAIN = safe_path.RESOLVE_NO_SYMLINKS | safe_path.RESOLVE_BENEATH
_GONE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ESTALE)
# What runtimes make where an image lacks a place to mount on. Docker keeps these in a layer of
# their own, so that they are no change of the container's.
_MOUNT_FILES = frozenset(
    {
        b".dockerenv",
        b"dev/console",
        b"etc/hostname",
        b"etc/hosts",
        b"etc/resolv.conf",
    }
)
_MOUNT_DIRECTORIES = frozenset(
    {b"dev", b"dev/mqueue", b"dev/pts", b"dev/shm", b"etc", b"proc", b"sys"}
)


class ChangeKind(IntEnum):
    """The numbers of Docker's API."""

    MODIFIED = 0
    ADDED = 1
    DELETED = 2


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """One changed path, relative to the root and without a slash at either end."""

    path: bytes
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class Difference:
    """What a snapshot changed, and the open directory where the changed files are."""

    root: int
    changes: list[Change]


def overlay_changes(
    upper: int, lower: int | None, *, keeps_mountpoints: bool = False
) -> list[Change]:
    """Compare an upper directory with the merged view of all layers below it, if there are any.

    Both are open directories. Every file in the upper counts as changed: overlay copies files
    up to be written to. For the rest see `tree_changes`.
    """
    return _Comparison(upper, lower, is_upper=True).run(keeps_mountpoints=keeps_mountpoints)


def tree_changes(new: int, old: int | None, *, keeps_mountpoints: bool = False) -> list[Change]:
    """Compare a whole tree with the one that it was made from; both are open directories.

    Sorted by path, so that directories come before what is in them. Whatever holds a change is
    a modified directory itself; of a deleted tree only the top is told. As in Docker, the root
    is no change, nor is the mere time of a directory. Empty places that a runtime made to mount
    on are left out unless `keeps_mountpoints`.

    Raises:
        FaultError: the disk fails, or a path is longer than the kernel takes.
    """
    return _Comparison(new, old, is_upper=False).run(keeps_mountpoints=keeps_mountpoints)


class _Comparison:
    """One run of `tree_changes` or `overlay_changes`."""

    def __init__(self, new: int, old: int | None, *, is_upper: bool) -> None:
        self._new = new
        self._old = old
        self._is_upper = is_upper
        self._found: dict[bytes, ChangeKind] = {}
        # Directories still to be compared, and whether they have a counterpart.
        self._pending = [(b"", old is not None)]

    def run(self, *, keeps_mountpoints: bool) -> list[Change]:
        path = b""
        try:
            while self._pending:
                path, has_old = self._pending.pop()
                self._compare_directory(path, has_old=has_old)
            if not keeps_mountpoints:
                self._drop_mountpoints()
        except OSError as error:
            reason = os.strerror(error.errno or errno.EIO).lower()
            raise FaultError(f"compare /{os.fsdecode(path)}: {reason}") from error
        self._add_parents()
        return [Change(path, kind) for path, kind in sorted(self._found.items())]

    def _compare_directory(self, path: bytes, *, has_old: bool) -> None:
        with contextlib.ExitStack() as stack:
            new = stack.enter_context(_opened(self._new, path))
            if new is None:
                return
            old = None
            if has_old and self._old is not None:
                old = stack.enter_context(_opened(self._old, path))
            names = {os.fsencode(name) for name in os.listdir(new)}
            for name in names:
                self._compare_entry(new, old, path, name)
            if old is not None and self._hides_what_it_lacks(new):
                for name in map(os.fsencode, os.listdir(old)):
                    if name not in names:
                        self._found[_joined(path, name)] = ChangeKind.DELETED

    def _hides_what_it_lacks(self, directory: int) -> bool:
        return not self._is_upper or xattr.get(directory, _OPAQUE) == b"y"

    def _compare_entry(self, new: int, old: int | None, parent: bytes, name: bytes) -> None:
        path = _joined(parent, name)
        status = _status(new, name)
        if status is None:
            return
        before = _status(old, name) if old is not None else None
        if whiteout.is_overlay_whiteout(status):
            if before is not None:
                self._found[path] = ChangeKind.DELETED
            return
        if before is None or old is None:
            self._found[path] = ChangeKind.ADDED
        elif self._differs(before, status) or _attributes(old, name) != _attributes(new, name):
            self._found[path] = ChangeKind.MODIFIED
        if stat.S_ISDIR(status.st_mode):
            self._pending.append((path, before is not None and stat.S_ISDIR(before.st_mode)))

    def _differs(self, before: os.stat_result, status: os.stat_result) -> bool:
        if (before.st_mode, before.st_uid, before.st_gid) != (
            status.st_mode,
            status.st_uid,
            status.st_gid,
        ):
            return True
        if stat.S_ISDIR(status.st_mode):
            return False
        return self._is_upper or (
            (before.st_size, before.st_mtime_ns, before.st_rdev)
            != (status.st_size, status.st_mtime_ns, status.st_rdev)
            # A new name for an old file: both go into a layer, where they can be linked.
            or status.st_nlink > before.st_nlink
        )

    def _drop_mountpoints(self) -> None:
        added = ChangeKind.ADDED
        for path in _MOUNT_FILES:
            if self._found.get(path) == added and self._is_empty_file(path):
                del self._found[path]
        # The deepest first: a directory that holds nothing else goes with what it held.
        for path in sorted(_MOUNT_DIRECTORIES, reverse=True):
            if self._found.get(path) != added:
                continue
            if any(other.startswith(path + b"/") for other in self._found):
                self._found[path] = ChangeKind.MODIFIED
            else:
                del self._found[path]

    def _is_empty_file(self, path: bytes) -> bool:
        parent, _, name = path.rpartition(b"/")
        with _opened(self._new, parent) as directory:
            status = None if directory is None else _status(directory, name)
        return status is not None and stat.S_ISREG(status.st_mode) and status.st_size == 0

    def _add_parents(self) -> None:
        for path in list(self._found):
            parent = path.rpartition(b"/")[0]
            while parent and parent not in self._found:
                self._found[parent] = ChangeKind.MODIFIED
                parent = parent.rpartition(b"/")[0]


@contextlib.contextmanager
def _opened(root: int, path: bytes) -> Iterator[int | None]:
    """Open a directory below `root`; None if it is none any more."""
    try:
        descriptor = safe_path.openat2(root, path or b".", os.O_RDONLY | os.O_DIRECTORY, 0, _PLAIN)
    except OSError as error:
        if error.errno not in _GONE:
            raise
        yield None
        return
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _status(directory: int, name: bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError as error:
        if error.errno in _GONE:
            return None
        raise


def _attributes(directory: int, name: bytes) -> dict[str, bytes]:
    return whiteout.layer_xattrs(xattr.read_all(xattr.path_at(directory, name)))


def _joined(parent: bytes, name: bytes) -> bytes:
    return parent + b"/" + name if parent else name
