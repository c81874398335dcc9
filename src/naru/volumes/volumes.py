"""The volumes of one engine: which there are, and where. `uses` knows who has them mounted.

Synchronous and safe for many threads. A volume is written down before its directory is made,
and forgotten after that is gone; `repair` finishes what a killed engine began. Who may remove a
volume is the caller's to know: `remove` deletes what it is told to.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from naru.clock import Clock
from naru.db.database import Database
from naru.db.volumes import VolumeRow, VolumeRows
from naru.errors import ConflictError, FaultError, NaruError, NotFoundError, reason_of
from naru.faults import fault_point
from naru.ids import new_id
from naru.linux import fs
from naru.volumes.copy_up import finish_copy_up
from naru.volumes.driver import Seen, VolumeDriver
from naru.volumes.drivers import Drivers
from naru.volumes.model import LOCAL, Volume, is_own
from naru.volumes.names import check_name, is_name
from naru.volumes.plugin_driver import PluginDriver
from naru.volumes.snapshots import VolumeSnapshots
from naru.volumes.uses import VolumeUses

_log = logging.getLogger(__name__)
_AFTER_ROW = fault_point("volumes.create.after_row")
_NOTED = fault_point("volumes.remove.noted")
_HALF = fault_point("volumes.remove.half")


class Volumes:
    """All volumes below one directory, and those of plugins."""

    def __init__(
        self, root: Path, database: Database, clock: Clock, drivers: Drivers | None = None
    ) -> None:
        self._root = root
        self._rows = VolumeRows(database)
        self._clock = clock
        self._drivers = drivers or Drivers()
        self._going = set[tuple[str, int]]()
        self.uses = VolumeUses(root, self._rows, self._drivers)
        self.snapshots = VolumeSnapshots(
            root, self._rows, self.uses, self._drivers.local, self._clock
        )

    # -- which there are ---------------------------------------------------------------------------

    def create(
        self,
        name: str,
        driver: str = "",
        options: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> Volume:
        """Make a volume, or return the one that has this name and driver already.

        Without a `driver` any that has the name will do; a new volume is a local one then. Durable.

        Raises:
            InvalidInputError: the name or an option is none, in Docker's words.
            NotFoundError: no such driver.
            ConflictError: the name belongs to a volume of another driver.
            FaultError, UnavailableError: the disk or the plugin refused; nothing is left.
        """
        check_name(name)
        row = self._rows.get(name)
        if row is None:
            found = None if driver else self._seen_by_plugin(name)
            driver = driver or (found[0].name if found else LOCAL)
            return self._create(name, driver, dict(options or {}), dict(labels or {}))
        if row.is_leaving:
            raise ConflictError(f"create {name}: volume is being removed")
        if driver and row.driver != driver:
            raise ConflictError(
                f"create {name}: A volume named {name} already exists with the {row.driver} "
                "driver. Choose a different volume name."
            )
        self._mend(row)
        return self._volume(row)

    def get(self, name: str) -> Volume | None:
        """Return a volume that this engine made, or None; asks no plugin."""
        row = self._rows.get(name)
        return self._volume(row) if row and not row.is_leaving else None

    def list(self) -> list[Volume]:
        """Return all volumes that this engine made by name; asks no plugin."""
        return [self._volume(row) for row in self._rows.all() if not row.is_leaving]

    def inspect(self, name: str) -> Volume:
        """Return a volume with all that its driver says of it, also one that only a plugin knows.

        Raises:
            NotFoundError: no such volume.
            UnavailableError, FaultError: its plugin does not work.
        """
        row = self._rows.get(name)
        if row is None or row.is_leaving:
            found = self._seen_by_plugin(name)
            if found is None:
                raise NotFoundError(f"get {name}: no such volume")
            return _foreign(*found)
        driver = self._driver(row)
        return self._volume(row, driver.look(self._root / name), driver.scope)

    def list_all(self) -> tuple[Sequence[Volume], Sequence[str]]:
        """Return all volumes, also those that only plugins know, and what went wrong.

        A plugin that does not answer hides none that this engine made.
        """
        known = {volume.name: volume for volume in self.list()}
        problems = []
        for plugin in self._drivers.plugins():
            try:
                seen = plugin.known()
            except NaruError as error:
                problems.append(f"list {plugin.name}: {error.message}")
                continue
            for one in seen:
                row = self._rows.get(one.name)
                if row is None:
                    known.setdefault(one.name, _foreign(plugin, one))
                elif row.driver == plugin.name and not row.is_leaving:
                    known[one.name] = self._volume(row, one, plugin.scope)
        return [known[name] for name in sorted(known)], problems

    def drivers_in_use(self) -> Sequence[str]:
        """Return the names of the drivers that work, local first; asks nobody."""
        return self._drivers.names()

    # -- what is in them ---------------------------------------------------------------------------

    def staging(self, name: str) -> Path:
        """Return the folder in which a copy for the volume may be made."""
        return self._root / name

    def usage(self, name: str) -> int:
        """Return the bytes of content and snapshots; of what is mounted from elsewhere, none.

        Raises:
            NotFoundError: no such volume.
        """
        row = self.uses.existing(name)
        if not is_own(row.driver, row.options):
            return 0
        content = fs.tree_size(self._drivers.local.path(self._root / name))
        return content + self.snapshots.usage(name)

    def replace_content(
        self, name: str, fill: Callable[[Path], None], *, if_empty: bool = True
    ) -> None:
        """Give a volume the content that `fill` puts into an empty directory.

        Atomic where the content is a directory of this engine. Elsewhere an empty volume is
        filled where it is, and is empty again if that fails; a kill leaves a part.

        Raises:
            NotFoundError: no such volume.
            ConflictError: it is in use; or holds something, and `if_empty`.
            NotSupportedError: its content is mounted from elsewhere, and is to be replaced.
            FaultError: the disk or the volume's quota is full, or the disk fails.
            NaruError: what `fill` raises; nothing has changed.
        """
        row = self.uses.existing(name)
        try:
            if not is_own(row.driver, row.options) and if_empty:
                self._fill_where_it_is(name, fill)
                return
            with self.uses.reserved(name) as folder:
                if if_empty:
                    _refuse_content(name, self._drivers.local.path(folder))
                self._drivers.local.replace(folder, row.options, fill)
        except OSError as error:
            raise FaultError(f"fill volume {name}: {reason_of(error)}") from error

    def _fill_where_it_is(self, name: str, fill: Callable[[Path], None]) -> None:
        user = f"import-{new_id()}"
        with self.uses.reserved(name, {user}, is_plain=False):
            path = self.uses.mount(name, user)
            try:
                _refuse_content(name, path)
                try:
                    fill(path)
                except BaseException:
                    for entry in os.listdir(path):
                        fs.remove_tree(path / entry)
                    raise
            finally:
                self.uses.unmount(name, user)

    # -- their end ---------------------------------------------------------------------------------

    def remove(
        self,
        name: str,
        *,
        users: Iterable[str] = (),
        force: bool = False,
        forgets: bool = False,
        if_empty: bool = False,
    ) -> None:
        """Delete a volume and its content. With `force`, that there is none is no error.

        With `forgets`, a plugin that does not work is none either: the volume stays with it.
        With `if_empty`, a local one goes only while nothing is in it.

        Raises:
            NotFoundError: no such volume.
            ConflictError: `users`, ids of containers, mount it.
            FaultError: something could not be deleted; `repair` will try again.
            UnavailableError: its plugin does not answer; the volume stays.
        """
        holders = list(users)
        if self._rows.get(name) is None and not holders:
            found = self._seen_by_plugin(name)
            if found is not None:
                with _named(f"remove {name}"):
                    found[0].remove(self._root / name)
                return
        with self.uses.turn(name):
            row = self._rows.get(name)
            if row is None or (name, row.created_ns) in self._going:
                # Another removal may end after this name has come to stand for a new volume.
                if force:
                    return
                raise NotFoundError(f"get {name}: no such volume")
            if holders:
                raise ConflictError(f"remove {name}: volume is in use - [{', '.join(holders)}]")
            self.uses.refuse_reserved(name)
            if if_empty:
                _refuse_content(name, self._drivers.local.path(self._root / name))
            self._rows.mark_leaving(name)
            if self.uses.spares_plugins and row.driver != LOCAL:
                return
            self._going.add((name, row.created_ns))
        try:
            self._rows.sync()  # or a power cut would bring it back, half empty
            _NOTED()
            self._delete(row, forgets=forgets)
        finally:
            self._going.discard((name, row.created_ns))

    def repair(self) -> None:
        """Finish what an earlier engine began, and take up directories without a row.

        Idempotent; a volume that cannot be repaired is logged and left. Asks no plugin: from now
        on none is told of ends either, until `settle`, so that none can hold up a start.
        """
        self.uses.spares_plugins = True
        self._root.mkdir(parents=True, exist_ok=True)
        known = {row.name: row for row in self._rows.all()}
        for row in known.values():
            if row.driver != LOCAL:
                continue
            try:
                self._repair(row)
            except (NaruError, OSError) as error:
                _log.error("repair volume %s: %s", row.name, error)
        for entry in self._root.iterdir():
            if entry.name not in known and _is_content(entry):
                _log.warning("volume %s was not in the database; it is now", entry.name)
                self._rows.add(VolumeRow(entry.name, LOCAL, self._clock.now_ns(), {}, {}))

    def settle(self, users: Collection[str]) -> None:
        """End what an earlier engine's users left, but for `users`, who go on; tell plugins, too.

        May wait long for plugins. What cannot be ended is logged, and tried at the next start.
        """
        self.uses.spares_plugins = False
        for row in self._rows.all():
            if row.is_leaving and row.driver != LOCAL:
                try:
                    self._delete(row)
                except NaruError as error:
                    _log.warning("remove volume %s: %s", row.name, error.message)
        self.uses.settle(users)

    # -- inside ------------------------------------------------------------------------------------

    def _create(
        self, name: str, driver: str, options: dict[str, str], labels: dict[str, str]
    ) -> Volume:
        row = VolumeRow(name, driver, self._clock.now_ns(), options, labels)
        with _named(f"create {name}"):
            kind = self._drivers.find(driver)
            kind.check(self._root / name, options)
        with self.uses.turn(name):
            is_new = self._rows.add(row)
            if is_new:
                self._make(kind, row)
        # Whoever was faster made one that is as good, or in the way.
        return self._volume(row) if is_new else self.create(name, driver, options, labels)

    def _mend(self, row: VolumeRow) -> None:
        """Make a volume anew that its plugin does not have, or never got to make."""
        if row.driver == LOCAL:
            return
        with _named(f"create {row.name}"):
            driver = self._driver(row)
            try:
                driver.look(self._root / row.name)
            except NotFoundError:
                driver.create(self._root / row.name, row.options)

    def _make(self, driver: VolumeDriver, row: VolumeRow) -> None:
        folder = self._root / row.name
        with contextlib.ExitStack() as undo:
            undo.callback(self._rows.delete, row.name)
            _AFTER_ROW()
            # What a plugin has by this name may be older than our wish for it.
            undo.callback(
                driver.forget if isinstance(driver, PluginDriver) else driver.remove, folder
            )
            with _named(f"create {row.name}"):
                driver.create(folder, row.options)
            self._rows.sync()
            undo.pop_all()

    def _repair(self, row: VolumeRow) -> None:
        driver, folder = self._drivers.local, self._root / row.name
        if row.is_leaving:
            self._delete(row)
            return
        driver.create(folder, row.options)
        finish_copy_up(driver.path(folder), folder)
        self.snapshots.repair(row.name)

    def _delete(self, row: VolumeRow, *, forgets: bool = False) -> None:
        folder = self._root / row.name
        try:
            with _named(f"remove {row.name}"):
                self._driver(row).remove(folder)
        except NaruError as error:
            if row.driver == LOCAL:
                raise
            if not forgets:
                # It is still there, and may be removed another time.
                self._rows.mark_leaving(row.name, is_leaving=False)
                raise
            _log.warning("volume %s is forgotten: %s", row.name, error.message)
            PluginDriver.forget(folder)
        _HALF()
        self._rows.delete(row.name)

    def _driver(self, row: VolumeRow) -> VolumeDriver:
        return self._drivers.find(row.driver)

    def _seen_by_plugin(self, name: str) -> tuple[PluginDriver, Seen] | None:
        for plugin in self._drivers.plugins() if is_name(name) else ():
            with contextlib.suppress(NaruError):
                return plugin, plugin.look(self._root / name)
        return None

    def _volume(self, row: VolumeRow, seen: Seen | None = None, scope: str = LOCAL) -> Volume:
        place = seen.mountpoint if seen else None
        if row.driver == LOCAL:
            place = self._drivers.local.path(self._root / row.name)
        return Volume(
            name=row.name,
            driver=row.driver,
            mountpoint=place,
            created_ns=row.created_ns,
            options=row.options,
            labels=row.labels,
            scope=scope,
            status=seen.status if seen else None,
        )


def _refuse_content(name: str, path: Path) -> None:
    if os.listdir(path):
        raise ConflictError(f"volume {name} is not empty", hint="--replace replaces what it holds")


@contextlib.contextmanager
def _named(what: str) -> Iterator[None]:
    """Let errors of the block begin with what was to be done, as Docker's do."""
    try:
        yield
    except NaruError as error:
        raise type(error)(f"{what}: {error.message}", hint=error.hint) from error


def _foreign(plugin: PluginDriver, seen: Seen) -> Volume:
    """Return a volume that only its plugin knows."""
    return Volume(seen.name, plugin.name, seen.mountpoint, 0, {}, {}, plugin.scope, seen.status)


def _is_content(folder: Path) -> bool:
    return is_name(folder.name) and (folder / "_data").is_dir()
