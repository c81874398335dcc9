"""Driver `local`: a directory, or what `type`, `device` and `o` say to mount on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from naru.errors import FaultError
from naru.linux import fs
from naru.linux.mount import mount_all, unmount
from naru.linux.mountinfo import mounts
from naru.volumes.mount_options import check_options, mount_of

_CONTENT = "_data"
_FOLDER_MODE = 0o701
_CONTENT_MODE = 0o755


class LocalDriver:
    """Volumes on the host's own disk."""

    def check(self, options: Mapping[str, str]) -> None:
        """See `VolumeDriver`."""
        check_options(options)

    def create(self, folder: Path, options: Mapping[str, str]) -> None:
        """See `VolumeDriver`. What is there keeps its owner and mode."""
        try:
            for path, mode in ((folder, _FOLDER_MODE), (folder / _CONTENT, _CONTENT_MODE)):
                if not path.is_dir():
                    path.mkdir(parents=True, exist_ok=True)
                    # The process's umask must not decide who can enter.
                    path.chmod(mode)
        except OSError as error:
            raise FaultError(f"error while creating volume path '{folder}': {error}") from error

    def path(self, folder: Path) -> Path:
        """See `VolumeDriver`."""
        return folder / _CONTENT

    def mount(self, folder: Path, options: Mapping[str, str]) -> Path:
        """See `VolumeDriver`."""
        content = folder / _CONTENT
        wanted = mount_of(options)
        if wanted is not None and not _is_mounted(content):
            try:
                mount_all([wanted], content)
            except FaultError as error:
                reason = error.message.rpartition(": ")[2].lower()
                raise FaultError(
                    f"error while mounting volume '{content}': failed to mount local volume: "
                    f"mount {wanted.source}:{content}, flags: {wanted.flags:#x}: {reason}"
                ) from error
        return content

    def unmount(self, folder: Path, options: Mapping[str, str]) -> None:
        """See `VolumeDriver`."""
        if options:
            unmount(folder / _CONTENT, lazy=True)

    def remove(self, folder: Path) -> None:
        """See `VolumeDriver`."""
        content = folder / _CONTENT
        while _is_mounted(content):
            unmount(content, lazy=True)
        try:
            fs.remove_tree(folder)
        except OSError as error:
            raise FaultError(f"delete volume directory {folder}: {error}") from error


def _is_mounted(path: Path) -> bool:
    target = os.path.realpath(path)
    return any(os.fspath(entry.target) == target for entry in mounts())
