"""Snapshots of volumes: what one held at a moment, kept beside it, and given back to it.

Each is a copy in the volume's own folder and goes with it; where the file system shares blocks
between files, it costs what changes afterwards. Only volumes that are directories of this engine
have them. Synchronous; a copy takes as long as the volume is large.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from naru.clock import Clock
from naru.db.volumes import VolumeRows
from naru.errors import ConflictError, FaultError, InvalidInputError, NotFoundError, reason_of
from naru.faults import fault_point
from naru.linux import fs
from naru.linux.durability import sync_filesystem
from naru.linux.tree_copy import copy_tree
from naru.volumes.local import LocalDriver
from naru.volumes.names import LONGEST_NAME, is_name
from naru.volumes.uses import VolumeUses

_log = logging.getLogger(__name__)
_COPIED = fault_point("volumes.snapshot.copied")
_LEAVING = fault_point("volumes.snapshot.leaving")
_FOLDER = "_snapshots"


@dataclass(frozen=True, slots=True)
class VolumeSnapshot:
    """A snapshot; `size_bytes` is what its files say, shared blocks or not."""

    name: str
    created_ns: int
    size_bytes: int


class VolumeSnapshots:
    """The snapshots of all volumes."""

    def __init__(
        self, root: Path, rows: VolumeRows, uses: VolumeUses, local: LocalDriver, clock: Clock
    ) -> None:
        self._root = root
        self._rows = rows
        self._uses = uses
        self._local = local
        self._clock = clock

    def take(self, volume: str, name: str, *, besides: Collection[str] = ()) -> VolumeSnapshot:
        """Keep what a volume holds under `name`. Durable. Nobody but `besides` may use it meanwhile.

        Those hold still, as the caller knows. After a failure or a kill there is no such snapshot.

        Raises:
            NotFoundError: no such volume.
            InvalidInputError: no name that a snapshot can have.
            ConflictError: the name is taken, or the volume in use.
            NotSupportedError: its content is not a directory of its own.
            FaultError: the disk is full, or fails.
        """
        if not is_name(name) or len(name) > LONGEST_NAME:
            raise InvalidInputError(
                f"invalid snapshot name {name!r}: expected one of 2 to {LONGEST_NAME} characters of "
                "[a-zA-Z0-9_.-], the first a letter or a digit"
            )
        with self._uses.reserved(volume, besides) as folder:
            created_ns = self._clock.now_ns()
            if not self._rows.add_snapshot(volume, name, created_ns):
                raise ConflictError(f"volume {volume} has a snapshot {name} already")
            place = folder / _FOLDER / name
            try:
                place.mkdir(parents=True, mode=0o700)
                copy_tree(self._local.path(folder), place)
                sync_filesystem(place)
                _COPIED()
            except BaseException as error:
                self._delete(volume, name)
                if isinstance(error, OSError):
                    raise FaultError(
                        f"take snapshot {name} of volume {volume}: {reason_of(error)}"
                    ) from error
                raise
            self._rows.mark_snapshot(volume, name, is_whole=True)
            self._rows.sync()
            return VolumeSnapshot(name, created_ns, fs.tree_size(place))

    def list(self, volume: str) -> list[VolumeSnapshot]:
        """Return the snapshots of a volume, the oldest first; none where there is no volume."""
        return [
            VolumeSnapshot(
                row.name, row.created_ns, fs.tree_size(self._root / volume / _FOLDER / row.name)
            )
            for row in self._rows.snapshots(volume)
            if row.is_whole
        ]

    def usage(self, volume: str) -> int:
        """Return the bytes of all snapshots of a volume."""
        return fs.tree_size(self._root / volume / _FOLDER)

    def remove(self, volume: str, name: str) -> None:
        """Delete a snapshot.

        Raises:
            NotFoundError: no such volume or snapshot.
            ConflictError: the volume is being restored or copied.
            FaultError: something could not be deleted; the next start tries again.
        """
        with self._uses.turn(volume):
            self._uses.refuse_reserved(volume)
            self._check(volume, name)
            self._rows.mark_snapshot(volume, name, is_whole=False)
            self._rows.sync()  # or a power cut would bring it back, half deleted
        _LEAVING()
        self._delete(volume, name)

    def restore(self, volume: str, name: str) -> None:
        """Let a volume hold what it held then; what it holds now is gone. Atomic.

        Raises:
            NotFoundError: no such volume or snapshot.
            ConflictError: the volume is in use.
            NotSupportedError: its content is not a directory of its own.
            FaultError: the disk or the volume's quota is full, or the disk fails.
        """
        with self._uses.reserved(volume) as folder:
            self._check(volume, name)
            row = self._rows.get(volume)
            options = row.options if row else {}
            try:
                self._local.replace(
                    folder, options, lambda fresh: copy_tree(folder / _FOLDER / name, fresh)
                )
            except OSError as error:
                raise FaultError(
                    f"restore snapshot {name} of volume {volume}: {reason_of(error)}"
                ) from error

    def repair(self, volume: str) -> None:
        """Delete what is not whole, and what nobody knows of. Idempotent.

        Raises:
            FaultError, OSError: the disk refused.
        """
        known = {row.name for row in self._rows.snapshots(volume) if row.is_whole}
        for row in self._rows.snapshots(volume):
            if not row.is_whole:
                self._delete(volume, row.name)
        folder = self._root / volume / _FOLDER
        for name in os.listdir(folder) if folder.is_dir() else ():
            if name not in known:
                _log.warning("volume %s: removing what is left of snapshot %s", volume, name)
                fs.remove_tree(folder / name)

    def _check(self, volume: str, name: str) -> None:
        if not any(row.is_whole and row.name == name for row in self._rows.snapshots(volume)):
            raise NotFoundError(f"volume {volume} has no snapshot {name}")

    def _delete(self, volume: str, name: str) -> None:
        try:
            fs.remove_tree(self._root / volume / _FOLDER / name)
        except OSError as error:
            raise FaultError(f"delete snapshot {name} of volume {volume}: {error}") from error
        self._rows.delete_snapshot(volume, name)
