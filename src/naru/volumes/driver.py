"""What a kind of volume must be able to do, and the kinds there are.

`volumes` decides which volumes there are and writes them down; a driver keeps their content.
Everything is synchronous, and a driver keeps nothing in memory. `folder` is the volume's own
directory below the engine's data root, where the driver may put what it likes.

    driver.check(options)                       # before the volume is written down
    driver.create(folder, options)
    path = driver.mount(folder, options)        # before a container uses it; stays mounted
    driver.unmount(folder, options)             # when no container does
    driver.remove(folder)
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from naru.volumes.local import LocalDriver
from naru.volumes.model import Volume

__all__ = ["DRIVERS", "Volume", "VolumeDriver"]


class VolumeDriver(Protocol):
    """One kind of volume."""

    def check(self, options: Mapping[str, str]) -> None:
        """Refuse options that can never work.

        Raises:
            InvalidInputError: an option is unknown, or one is missing, in Docker's words.
        """

    def create(self, folder: Path, options: Mapping[str, str]) -> None:
        """Make the volume's directory, or mend it. Idempotent.

        Raises:
            FaultError: the disk refused.
        """

    def path(self, folder: Path) -> Path:
        """Return where the content is on the host, mounted or not."""

    def mount(self, folder: Path, options: Mapping[str, str]) -> Path:
        """Make the content available and return where. Idempotent.

        Raises:
            FaultError: the kernel refused, in Docker's words.
        """

    def unmount(self, folder: Path, options: Mapping[str, str]) -> None:
        """Undo `mount`. Idempotent."""

    def remove(self, folder: Path) -> None:
        """Delete content and directory. Idempotent; what is mounted there is not deleted.

        Raises:
            FaultError: something could not be deleted.
        """


DRIVERS: dict[str, VolumeDriver] = {"local": LocalDriver()}
