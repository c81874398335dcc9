"""The files of a container, running or not, opened for a use-case. Blocking, some milliseconds.

The engine's door to `linux.file_view`, and what of a running container's files is not its own:
what the kernel makes up, and the devices that the runtime puts there.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from naru.linux import file_view, safe_path
from naru.linux.file_view import FileView, ViewMount, is_read_only
from naru.linux.mapped_mounts import become_root
from naru.linux.mount import Mount
from naru.runtime.bundle import Bundle
from naru.specgen.id_maps import IdMaps

__all__ = ["ContainerFiles", "ViewMount", "open_running", "open_stopped"]


class ContainerFiles:
    """A container's root as an open directory, with everything mounted in it."""

    def __init__(self, view: FileView, maps: IdMaps | None = None) -> None:
        """Own `view`; with `maps`, its files belong to users of a user namespace."""
        self._view = view
        self._maps = maps
        self.root = view.root
        self._devices = _device_of(view.root, b"dev")

    def close(self) -> None:
        """Let go of it."""
        self._view.close()

    def inside(self, uid: int, gid: int) -> tuple[int, int]:
        """Return who an owner in the view is to the container."""
        return self._maps.inside(uid, gid) if self._maps else (uid, gid)

    def on_host(self, uid: int, gid: int) -> tuple[int, int]:
        """Return who a user of the container is in the view.

        Raises:
            InvalidInputError: the container has no such user or group.
        """
        return self._maps.on_host(uid, gid) if self._maps else (uid, gid)

    def prepare_writer(self) -> None:
        """Let this thread, which must end soon, make files here.

        Raises:
            FaultError: the kernel refused.
        """
        if self._maps:
            become_root(self._maps.root_uid, self._maps.root_gid)

    def may_enter(self, directory: int) -> bool:
        """Say whether a walk that comes by the open `directory` is to go into it.

        /proc, /sys and the like are the kernel's, and /dev is the runtime's: Docker shows
        neither, and a copy of them is of no use.
        """
        if os.fstat(directory).st_dev == self._devices:
            return False
        return not file_view.is_made_up(directory)

    @staticmethod
    def is_made_up(descriptor: int) -> bool:
        """Say whether the kernel makes this file up: it is nothing that could be copied."""
        return file_view.is_made_up(descriptor)

    @staticmethod
    def is_mount(directory: int) -> bool:
        """Say whether something is mounted on an open directory."""
        above = os.stat("..", dir_fd=directory)
        return above.st_dev != os.fstat(directory).st_dev

    def read_text(self, path: str) -> str:
        """Return a small text file, such as `etc/passwd`; "" when there is none."""
        return safe_path.read_text(Path(f"/proc/self/fd/{self.root}"), path) or ""

    @staticmethod
    def is_read_only(descriptor: int) -> bool:
        """Say whether nothing can be written there."""
        return is_read_only(descriptor)


def open_running(bundle: Bundle, maps: IdMaps | None = None) -> ContainerFiles | None:
    """Open the files as the processes of a container see them; None if they are gone.

    `maps` are those of its user namespace, if it has one.

    Raises:
        FaultError: the kernel refused.
    """
    processes = bundle.processes()
    if processes is None:
        return None
    view = file_view.of_process(processes.pid, processes.pid_started)
    return ContainerFiles(view, maps) if view else None


def open_stopped(
    bundle: Bundle,
    root_mounts: Sequence[Mount],
    mounts: Sequence[ViewMount],
    *,
    read_only: bool,
    is_mounted: bool,
    maps: IdMaps | None = None,
) -> ContainerFiles:
    """Put the files of a container together that has no process.

    `is_mounted` says that its root is mounted in the bundle still; it must not be mounted twice,
    and is mapped by `maps` then.

    Raises:
        FaultError: the kernel refused.
    """
    if is_mounted:
        root_mounts = [Mount(type="bind", source=os.fspath(bundle.rootfs))]
    view = file_view.assembled(root_mounts, mounts, read_only=read_only)
    return ContainerFiles(view, maps if is_mounted else None)


def _device_of(root: int, name: bytes) -> int:
    """Return the device of what is mounted at `name`; -1 if nothing is."""
    with contextlib.suppress(OSError):
        descriptor = safe_path.open_at(root, name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            device = os.fstat(descriptor).st_dev
        finally:
            os.close(descriptor)
        return device if device != os.fstat(root).st_dev else -1
    return -1
