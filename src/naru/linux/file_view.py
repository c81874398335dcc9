"""A container's files as the container sees them: its root with all that is mounted in it.

A view is a root directory in a mount namespace: the container's own while it runs, otherwise one
that is put together for the occasion, with nothing in it but the container's root and mounts.
Both live as long as the view's descriptors, so that an engine that is killed leaves nothing
behind. A view gives no protection by itself: names in it are to be resolved with
`safe_path.open_at`, which keeps links inside.

Spec: mount_namespaces(7), setns(2), pivot_root(2).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import stat
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from naru.errors import FaultError
from naru.linux import mount, mount_tree, process, safe_path
from naru.linux.mount import CLONE_FS, CLONE_NEWNS, MNT_DETACH, Mount

# statfs(2): its first field is the type.
_STATFS_BYTES = 256
_MADE_UP = frozenset(
    {
        0x9FA0,  # proc
        0x62656572,  # sysfs
        0x27E0EB,  # cgroup
        0x63677270,  # cgroup2
        0x1CD1,  # devpts
        0x19800202,  # mqueue
        0x64626720,  # debugfs
        0x74726163,  # tracefs
        0x73636673,  # securityfs
        0x62656570,  # configfs
        0xCAFE4A11,  # bpf
        0x6E736673,  # nsfs
        0x42494E4D,  # binfmt_misc
        0xF97CFF8C,  # selinuxfs
        0xDE5E81E4,  # efivarfs
        0x65735543,  # fusectl
        0x6165676C,  # pstore
    }
)
# Covered for an instant, in a namespace that nobody else sees.
_PLACE = Path("/proc")
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class ViewMount:
    """What is to be seen at `destination`, a path in the container.

    Either the file or directory `source` of the host or, if there is any, a `stack` of mounts
    that is made for this; of either only what `subpath` names, links being kept inside.
    """

    destination: str
    source: Path = Path()
    stack: tuple[Mount, ...] = ()
    subpath: str = ""
    read_only: bool = False
    writable_below: bool = False
    """Whether `read_only` is about the top alone, not about what is mounted below it."""
    is_recursive: bool = True


@dataclass(frozen=True, slots=True)
class FileView:
    """An open view; `root` is a descriptor of its root directory. The owner closes it."""

    root: int
    _namespace: int

    def close(self) -> None:
        """Let go of the view, and with the last one of its mounts."""
        os.close(self.root)
        os.close(self._namespace)


def of_process(pid: int, started: int) -> FileView | None:
    """Return what the process `pid` that started at `started` sees; None if it is gone.

    It is the root of the process's mount namespace: a chroot of the process itself is none of
    our business. Costs a thread.

    Raises:
        FaultError: the kernel refused.
    """

    def work() -> FileView | None:
        try:
            namespace = os.open(f"/proc/{pid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            return None
        with ExitStack() as undo:
            undo.callback(os.close, namespace)
            # Asked after the opening: a stranger with the same pid would have the host's files.
            if not process.is_alive(pid, started):
                return None
            mount.unshare(CLONE_FS)
            if _libc.setns(namespace, CLONE_NEWNS) != 0:
                raise FaultError(f"enter mount namespace: {_reason()}")
            root = os.open("/", _DIRECTORY)
            undo.pop_all()
        return FileView(root, namespace)

    return mount.in_own_thread(work)


def assembled(
    root_mounts: Sequence[Mount], others: Sequence[ViewMount], *, read_only: bool = False
) -> FileView:
    """Mount a root and what belongs into it where no path leads to, and return the view.

    `others` are mounted in their order; missing places for them are made in the root, as a
    start does. `read_only` is about the root alone. Costs a thread.

    Raises:
        FaultError: the kernel refused a mount, or a source is not there.
    """

    def work() -> FileView:
        with ExitStack() as opened:
            namespace = os.open("/proc/thread-self/ns/mnt", os.O_RDONLY | os.O_CLOEXEC)
            undo = opened.enter_context(ExitStack())
            undo.callback(os.close, namespace)
            # Taken before the root covers anything that a source may lie below.
            trees = [opened.enter_context(_cloned(other)) for other in others]
            mount.mount_all(root_mounts, _PLACE)
            _make_root(_PLACE)
            root = os.open("/", _DIRECTORY)
            undo.callback(os.close, root)
            for tree, other in zip(trees, others, strict=True):
                _attach(tree, root, other)
            if read_only:
                mount_tree.make_private(root, read_only=True, recursive=False)
            undo.pop_all()
        return FileView(root, namespace)

    return mount.in_private_namespace(work)


def is_read_only(descriptor: int) -> bool:
    """Say whether nothing can be written through the mount that `descriptor` was opened in."""
    return bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)


def is_made_up(descriptor: int) -> bool:
    """Say whether a file has no place on any disk or in memory: the kernel makes it up."""
    found = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(descriptor, found) != 0:
        return False
    return int.from_bytes(found.raw[: ctypes.sizeof(ctypes.c_long)], sys.byteorder) in _MADE_UP


@contextlib.contextmanager
def _cloned(other: ViewMount) -> Iterator[int]:
    """Take a copy of what is mounted at a place, which nobody sees yet."""
    shown = other.destination if other.stack else str(other.source)
    with ExitStack() as kept, ExitStack() as stack:
        source = other.source
        if other.stack:
            source = _PLACE
            mount.mount_all(other.stack, _PLACE)
            stack.callback(mount.unmount, _PLACE, lazy=True)
        descriptor = _source(source, other.subpath)
        stack.callback(os.close, descriptor)
        copy = mount_tree.copied(descriptor, recursive=other.is_recursive, name=shown)
        tree = kept.enter_context(copy)
        stack.close()
        below = other.is_recursive and not other.writable_below
        mount_tree.make_private(tree, read_only=other.read_only, recursive=below)
        yield tree


def _source(path: Path, subpath: str) -> int:
    try:
        if subpath:
            return safe_path.open_beneath(path, subpath, os.O_PATH)
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError as error:
        raise FaultError(f"mount {path / subpath}: {error.strerror}") from error


def _make_root(place: Path) -> None:
    """Make a mount the root of the namespace, and drop all other mounts from it.

    Kept, they would keep other containers' roots and networks from going away.
    """
    os.chdir(place)
    if _libc.pivot_root(b".", b".") != 0:
        raise FaultError(f"pivot_root: {_reason()}")
    if _libc.umount2(b".", MNT_DETACH) != 0:
        raise FaultError(f"leave the old root: {_reason()}")
    os.chdir("/")


def _attach(tree: int, root: int, other: ViewMount) -> None:
    try:
        place = _place(root, os.fsencode(other.destination), wants_directory=_is_directory(tree))
    except OSError as error:
        raise FaultError(f"mount on {other.destination}: {error.strerror}") from error
    try:
        mount_tree.put(tree, place, name=other.destination)
    finally:
        os.close(place)


def _is_directory(tree: int) -> bool:
    return stat.S_ISDIR(os.fstat(tree).st_mode)


def _place(root: int, path: bytes, *, wants_directory: bool) -> int:
    """Open what is at `path`, and make it if it is not there."""
    if wants_directory:
        return safe_path.make_dirs_at(root, path)
    os.close(safe_path.make_dirs_at(root, path.rstrip(b"/").rpartition(b"/")[0]))
    with contextlib.suppress(FileNotFoundError):
        return safe_path.open_at(root, path, os.O_PATH)
    made = safe_path.open_at(root, path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK, 0o644)
    os.close(made)
    return safe_path.open_at(root, path, os.O_PATH)


def _reason() -> str:
    return os.strerror(ctypes.get_errno())
