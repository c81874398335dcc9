"""What a kind of volume must be able to do.

`volumes` decides which volumes there are and writes them down; a driver keeps their content.
Everything is synchronous. `folder` is named as the volume is; it is the volume's own directory
below the engine's data root, where the driver may put what it likes.

    driver.check(folder, options)               # before the volume is written down
    driver.create(folder, options)
    path = driver.mount(folder, options, user)  # before a container uses it; stays mounted
    driver.unmount(folder, options, user, is_last=True)  # when that one does no more
    driver.remove(folder)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Seen:
    """What a driver says of one volume: where its content is, if anywhere, and how it is."""

    name: str
    mountpoint: Path | None
    status: Mapping[str, Any] | None = None


class VolumeDriver(Protocol):
    """One kind of volume."""

    @property
    def scope(self) -> str:
        """Say where its volumes are known: `local` to this machine, or `global`."""

    def check(self, folder: Path, options: Mapping[str, str]) -> None:
        """Refuse options that can never work, or not there.

        Raises:
            InvalidInputError: an option is unknown, or one is missing, in Docker's words.
        """

    def create(self, folder: Path, options: Mapping[str, str]) -> None:
        """Make the volume, or mend it. Idempotent.

        Raises:
            FaultError: the disk refused, or whoever keeps the content did.
            UnavailableError: who keeps the content does not answer.
        """

    def look(self, folder: Path) -> Seen:
        """Say what is known of a volume. Raises as `create`; NotFoundError if there is none."""

    def mount(self, folder: Path, options: Mapping[str, str], user: str) -> Path:
        """Make the content available to one user more and return where.

        Raises as `create`.
        """

    def unmount(
        self, folder: Path, options: Mapping[str, str], user: str, *, is_last: bool
    ) -> None:
        """Undo `mount` for one user; `is_last` says that nobody else is left.

        Idempotent as far as the driver is. Raises as `create`.
        """

    def remove(self, folder: Path) -> None:
        """Delete content and directory. Idempotent; what is mounted there is not deleted.

        Raises as `create`.
        """
