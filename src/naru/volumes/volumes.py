"""The volumes of one engine: which there are, and where.

Synchronous and safe for many threads. A volume is written down before its directory is made,
and forgotten after that is gone; `repair` finishes what a killed engine began. Who uses a volume
is the caller's to know: `remove` deletes what it is told to.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path

from naru.clock import Clock
from naru.db.database import Database
from naru.db.volumes import VolumeRow, VolumeRows
from naru.errors import ConflictError, FaultError, InvalidInputError, NotFoundError
from naru.faults import fault_point
from naru.linux import fs, safe_path
from naru.volumes.copy_up import finish_copy_up
from naru.volumes.driver import DRIVERS, VolumeDriver
from naru.volumes.model import Volume

_log = logging.getLogger(__name__)
_AFTER_ROW = fault_point("volumes.create.after_row")
_NOTED = fault_point("volumes.remove.noted")
_HALF = fault_point("volumes.remove.half")
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
_LONGEST_NAME = 255


class Volumes:
    """All volumes below one directory."""

    def __init__(self, root: Path, database: Database, clock: Clock) -> None:
        self._root = root
        self._rows = VolumeRows(database)
        self._clock = clock
        self._lock = threading.Lock()
        # Apart, since a server that does not answer holds a mount up for minutes.
        self._mount_lock = threading.Lock()

    def create(
        self,
        name: str,
        driver: str = "local",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Volume:
        """Make a volume, or return the one that has this name and driver already.

        Raises:
            InvalidInputError: the name or an option is none, in Docker's words.
            NotFoundError: no such driver.
            ConflictError: the name belongs to a volume of another driver.
            FaultError: the disk refused; nothing is left.
        """
        _check_name(name)
        kind = DRIVERS.get(driver)
        if kind is None:
            raise NotFoundError(
                f"create {name}: error looking up volume plugin {driver}: "
                f'plugin "{driver}" not found'
            )
        with self._lock:
            row = self._rows.get(name)
            if row is None:
                try:
                    kind.check(options or {})
                except InvalidInputError as error:
                    raise InvalidInputError(f"create {name}: {error.message}") from error
                row = VolumeRow(
                    name, driver, self._clock.now_ns(), dict(options or {}), dict(labels or {})
                )
                self._make(kind, row)
            elif row.is_leaving:
                raise ConflictError(f"create {name}: volume is being removed")
            elif row.driver != driver:
                raise ConflictError(
                    f"create {name}: A volume named {name} already exists with the {row.driver} "
                    "driver. Choose a different volume name."
                )
        return self._volume(row)

    def get(self, name: str) -> Volume | None:
        """Return a volume, or None."""
        row = self._rows.get(name)
        return self._volume(row) if row and not row.is_leaving else None

    def list(self) -> list[Volume]:
        """Return all volumes by name."""
        return [self._volume(row) for row in self._rows.all() if not row.is_leaving]

    def path(self, name: str, subpath: str = "") -> Path:
        """Return where the content is on the host, ready for use; mounts it if it must be.

        `subpath` names something below it; links are resolved inside the volume.

        Raises:
            NotFoundError: no such volume.
            InvalidInputError: no such subpath.
            FaultError: the content could not be mounted, in Docker's words.
        """
        row = self._existing(name)
        driver, folder = DRIVERS[row.driver], self._root / name
        root = driver.path(folder)
        if row.options:
            with self._mount_lock:
                driver.mount(folder, row.options)
        if not subpath:
            return root
        try:
            descriptor = safe_path.open_beneath(root, subpath, os.O_PATH)
        except OSError as error:
            raise InvalidInputError(
                f"cannot access path {root / subpath}: {(error.strerror or '').lower()}"
            ) from error
        try:
            return Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        finally:
            os.close(descriptor)

    def unmount(self, name: str) -> None:
        """Let go of what `path` mounted, once no container uses it. Idempotent.

        Raises:
            FaultError: the kernel refused.
        """
        row = self._rows.get(name)
        if row is not None and row.options:
            with self._mount_lock:
                DRIVERS[row.driver].unmount(self._root / name, row.options)

    def usage(self, name: str) -> int:
        """Return the bytes of the content; of what is mounted from elsewhere, none.

        Raises:
            NotFoundError: no such volume.
        """
        row = self._existing(name)
        if row.options:
            return 0
        return fs.tree_size(DRIVERS[row.driver].path(self._root / name))

    def remove(self, name: str, *, users: Iterable[str] = (), force: bool = False) -> None:
        """Delete a volume and its content. With `force`, that there is none is no error.

        Raises:
            NotFoundError: no such volume.
            ConflictError: `users`, ids of containers, mount it.
            FaultError: something could not be deleted; `repair` will try again.
        """
        holders = list(users)
        with self._lock:
            row = self._rows.get(name)
            if row is None:
                if force:
                    return
                raise NotFoundError(f"get {name}: no such volume")
            if holders:
                raise ConflictError(f"remove {name}: volume is in use - [{', '.join(holders)}]")
            self._rows.mark_leaving(name)
        _NOTED()
        self._delete(row)

    def repair(self) -> None:
        """Finish what an earlier engine began, and take up directories without a row.

        Idempotent; a volume that cannot be repaired is logged and left.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        with self._lock:
            known = {row.name: row for row in self._rows.all()}
            for row in known.values():
                try:
                    self._repair(row)
                except (FaultError, OSError) as error:
                    _log.error("repair volume %s: %s", row.name, error)
            for entry in self._root.iterdir():
                if entry.name not in known and _is_content(entry):
                    _log.warning("volume %s was not in the database; it is now", entry.name)
                    self._rows.add(
                        VolumeRow(entry.name, "local", self._clock.now_ns(), {}, {}),
                    )

    def _repair(self, row: VolumeRow) -> None:
        driver, folder = DRIVERS[row.driver], self._root / row.name
        if row.is_leaving:
            self._delete(row)
            return
        driver.create(folder, row.options)
        finish_copy_up(driver.path(folder))

    def _make(self, driver: VolumeDriver, row: VolumeRow) -> None:
        with contextlib.ExitStack() as undo:
            undo.callback(self._rows.delete, row.name)
            self._rows.add(row)
            _AFTER_ROW()
            undo.callback(driver.remove, self._root / row.name)
            driver.create(self._root / row.name, row.options)
            undo.pop_all()

    def _delete(self, row: VolumeRow) -> None:
        DRIVERS[row.driver].remove(self._root / row.name)
        _HALF()
        self._rows.delete(row.name)

    def _existing(self, name: str) -> VolumeRow:
        row = self._rows.get(name)
        if row is None or row.is_leaving:
            raise NotFoundError(f"get {name}: no such volume")
        return row

    def _volume(self, row: VolumeRow) -> Volume:
        return Volume(
            name=row.name,
            driver=row.driver,
            mountpoint=DRIVERS[row.driver].path(self._root / row.name),
            created_ns=row.created_ns,
            options=row.options,
            labels=row.labels,
        )


def _check_name(name: str) -> None:
    if len(name) < 2:
        raise InvalidInputError(
            f"create {name}: volume name is too short, names should be at least two "
            "alphanumeric characters"
        )
    if not _NAME.fullmatch(name):
        raise InvalidInputError(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, '
            "use absolute path"
        )
    if len(name) > _LONGEST_NAME:
        raise InvalidInputError(f"create {name}: volume name is longer than {_LONGEST_NAME}")


def _is_content(folder: Path) -> bool:
    return _NAME.fullmatch(folder.name) is not None and (folder / "_data").is_dir()
