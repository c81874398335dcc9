"""Root file systems whose files belong to a user namespace, though nothing is changed on disk.

Each layer of an overlay is mounted with its ids mapped, and the overlay made of these mounts: what
root owns on disk belongs to the container's root, and what that one writes is root's on disk.
All this happens in a mount namespace that nobody else sees; only the finished tree leaves it.

An overlay writes its upper layer as whoever mounted it, and the host's root does not exist in a
mapped layer. So the mounting thread takes the container's root for its file system user.

Spec: mount_setattr(2), ID-mapped mounts; kernel, filesystems/overlayfs.rst; setfsuid(2);
capabilities(7), securebits.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from naru.errors import FaultError, NotSupportedError
from naru.linux import mount, mount_tree
from naru.linux.mount import Mount

_PR_SET_SECUREBITS: Final = 28
# Changing the user must not take the capabilities away.
_SECBIT_NO_SETUID_FIXUP: Final = 4
# Covered in the thread's own mount namespace only.
_WORKSHOP: Final = Path("/proc")
_LAYERS: Final = frozenset({"lowerdir", "upperdir", "workdir"})

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class MappedTo:
    """The user namespace that files are to belong to, and who its root is on the host."""

    namespace: Path
    root_uid: int
    root_gid: int


def mount_all(mounts: Sequence[Mount], target: Path, owner: MappedTo) -> None:
    """Do as `mount.mount_all` does with one mount of a snapshot, for `owner`.

    Raises:
        FaultError: the kernel refused.
        NotSupportedError: a stack of mounts that no snapshot gives.
    """
    if len(mounts) != 1 or mounts[0].target or mounts[0].type not in ("bind", "overlay"):
        raise NotSupportedError(f"{mounts}: cannot be mounted for a user namespace")
    with open_namespace(owner.namespace) as namespace:
        if mounts[0].type == "bind":
            with mount_tree.copied(Path(mounts[0].source)) as copy:
                mount_tree.map_ids(copy, namespace)
                if mounts[0].read_only:
                    mount_tree.make_read_only(copy)
                mount_tree.put(copy, target)
            return
        made = mount.in_private_namespace(lambda: _mounted_overlay(mounts[0], namespace, owner))
        try:
            mount_tree.put(made, target)
        finally:
            os.close(made)


@contextlib.contextmanager
def open_namespace(path: Path) -> Iterator[int]:
    """Yield a descriptor of the user namespace named `path`.

    Raises:
        FaultError: there is none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise FaultError(f"open user namespace {path}: {error.strerror}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _mounted_overlay(overlay: Mount, namespace: int, owner: MappedTo) -> int:
    """Return a descriptor of a copy of the overlay; runs in a namespace of its own."""
    mount.mount_all([Mount("tmpfs", "tmpfs", data="mode=755")], _WORKSHOP)
    # Relative paths keep 500 layers within the kernel's one page of options.
    os.chdir(_WORKSHOP)
    options = []
    for option in overlay.data.split(","):
        name, equals, value = option.partition("=")
        if name == "lowerdir":
            lowers = [
                _map_layer(Path(path), f"l{number}", namespace)
                for number, path in enumerate(value.split(":"))
            ]
            value = ":".join(lowers)
        elif name in _LAYERS:
            # The upper and the work directory must lie on one mount.
            path = Path(value)
            if not os.path.ismount("u"):
                _map_layer(path.parent, "u", namespace)
            value = f"u/{path.name}"
        options.append(f"{name}{equals}{value}")
    place = _WORKSHOP / "root"
    place.mkdir()
    become_root(owner.root_uid, owner.root_gid)
    mount.mount_all([replace(overlay, data=",".join(options))], place)
    with mount_tree.copied(place) as copy:
        return os.dup(copy)


def _map_layer(path: Path, name: str, namespace: int) -> str:
    place = _WORKSHOP / name
    place.mkdir()
    with mount_tree.copied(path) as copy:
        mount_tree.map_ids(copy, namespace)
        mount_tree.put(copy, place)
    return name


def become_root(uid: int, gid: int) -> None:
    """Let this thread, which must end soon, make files as the root of a user namespace.

    In mapped mounts there is no other root; its rights stay those of the host's.

    Raises:
        FaultError: the kernel refused.
    """
    if _libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0:
        raise FaultError(f"keep capabilities: {os.strerror(ctypes.get_errno())}")
    _libc.setfsgid(gid)
    _libc.setfsuid(uid)
