"""Driver `local`: a directory, or what `type`, `device` and `o` say to mount on it.

`size` is a limit that the file system keeps, where it has quotas of projects.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from naru.errors import FaultError, InvalidInputError, NotSupportedError, reason_of
from naru.faults import fault_point
from naru.linux import fs, project_quota
from naru.linux.durability import sync_filesystem
from naru.linux.mount import mount_all, unmount
from naru.linux.mountinfo import mounts
from naru.volumes.driver import Seen
from naru.volumes.mount_options import check_options, mount_of, quota_of, resolved, shown

_FILLED = fault_point("volumes.replace.filled")
_EXCHANGED = fault_point("volumes.replace.exchanged")
_CONTENT, _FRESH = "_data", "_fresh"
_FOLDER_MODE = 0o701
_CONTENT_MODE = 0o755


class LocalDriver:
    """Volumes on the host's own disk."""

    scope = "local"

    def check(self, folder: Path, options: Mapping[str, str]) -> None:
        """See `VolumeDriver`."""
        check_options(options)
        if quota_of(options) and not project_quota.is_enforced(folder.parent):
            raise InvalidInputError("quota size requested but no quota support")

    def create(self, folder: Path, options: Mapping[str, str]) -> None:
        """See `VolumeDriver`. What is there keeps its owner and mode."""
        try:
            content = folder / _CONTENT
            if mount_of(options) is not None and _is_mounted(content):
                # To look at it could mean to wait for a server that is away.
                return
            for path, mode in ((folder, _FOLDER_MODE), (content, _CONTENT_MODE)):
                if not path.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    # The process's umask must not decide who can enter.
                    path.chmod(mode)
            self.limit(content, options)
            self._drop_fresh(folder)
        except OSError as error:
            raise FaultError(f"error while creating volume path '{folder}': {error}") from error

    def limit(self, directory: Path, options: Mapping[str, str]) -> None:
        """Set the limit that a volume with these options has on its own, empty directory.

        Idempotent.

        Raises:
            OSError: the file system refused, or has lost its quotas.
        """
        size = quota_of(options)
        if size:
            try:
                project_quota.limit([directory], size)
            except NotSupportedError as error:
                raise OSError(error.message) from error

    def replace(
        self, folder: Path, options: Mapping[str, str], fill: Callable[[Path], None]
    ) -> None:
        """Give a volume the content that `fill` puts into an empty directory, or leave it as it is.

        Atomic and durable, whenever the engine is killed or the power cut. The limit of the volume holds for the new content
        beside the old one.

        Raises:
            OSError, NaruError: what `fill` raises, or the disk refused; nothing has changed.
        """
        content, fresh = folder / _CONTENT, folder / _FRESH
        self._drop_fresh(folder)
        try:
            fresh.mkdir(mode=0o700)
            fresh.chmod(_CONTENT_MODE)
            self.limit(fresh, options)
            fill(fresh)
            # The exchange may reach the disk before what was filled in does.
            sync_filesystem(fresh)
            _FILLED()
            fs.exchange(fresh, content)
            fs.fsync_dir(folder)
            _EXCHANGED()
        finally:
            self._drop_fresh(folder)

    @staticmethod
    def _drop_fresh(folder: Path) -> None:
        fresh = folder / _FRESH
        if fresh.exists():
            project_quota.release(fresh)
            fs.remove_tree(fresh)

    def look(self, folder: Path) -> Seen:
        """See `VolumeDriver`."""
        return Seen(folder.name, self.path(folder))

    def path(self, folder: Path) -> Path:
        """Return where the content is on the host, mounted or not."""
        return folder / _CONTENT

    def mount(self, folder: Path, options: Mapping[str, str], user: str) -> Path:
        """See `VolumeDriver`."""
        content = folder / _CONTENT
        wanted = mount_of(options)
        if wanted is not None and not _is_mounted(content):
            wrong = f"error while mounting volume '{content}'"
            try:
                wanted = resolved(wanted, _resolve)
            except OSError as error:
                raise FaultError(
                    f"{wrong}: error resolving passed in network volume address: {error.strerror}"
                ) from error
            try:
                mount_all([wanted], content)
            except FaultError as error:
                reason = error.message.rpartition(": ")[2].lower()
                raise FaultError(
                    f"{wrong}: failed to mount local volume: "
                    f"{shown(wanted, os.fspath(content))}: {reason}"
                ) from error
        return content

    def unmount(
        self, folder: Path, options: Mapping[str, str], user: str, *, is_last: bool
    ) -> None:
        """See `VolumeDriver`."""
        if is_last and mount_of(options) is not None:
            unmount(folder / _CONTENT, lazy=True)

    def remove(self, folder: Path) -> None:
        """See `VolumeDriver`."""
        content = folder / _CONTENT
        while _is_mounted(content):
            unmount(content, lazy=True)
        project_quota.release(content)
        try:
            fs.remove_tree(folder)
        except OSError as error:
            raise FaultError(f"delete volume directory {folder}: {error}") from error


def _resolve(host: str) -> str:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        # Docker's choice: servers may listen on IPv4 alone.
        found.sort(key=lambda each: each[0] != socket.AF_INET)
        return str(found[0][4][0])
    except OSError as error:
        raise OSError(error.errno, f"lookup {host}: {reason_of(error)}") from error


def _is_mounted(path: Path) -> bool:
    # What is mounted there is not asked for: its server may not answer.
    target = os.path.join(os.path.realpath(path.parent), path.name)
    return any(os.fspath(entry.target) == target for entry in mounts())
