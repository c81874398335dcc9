"""Who has the content of which volume ready for use: mounted for the first, let go of by the last.

A use is written down before a driver is asked for it and forgotten after, so that an engine that
was killed in between finds out. One volume's uses take turns, so that a server or a plugin that
does not answer holds up nobody else's. Synchronous and safe for many threads.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from naru.aio import KeyedThreadLock
from naru.db.volumes import VolumeRow, VolumeRows
from naru.errors import ConflictError, NaruError, NotFoundError, NotSupportedError
from naru.faults import fault_point
from naru.volumes.drivers import Drivers
from naru.volumes.model import LOCAL, is_own
from naru.volumes.plugin_protocol import PluginRefusedError

_log = logging.getLogger(__name__)
_NOTED = fault_point("volumes.mount.noted")
_MOUNTED = fault_point("volumes.mount.mounted")


class VolumeUses:
    """The uses of all volumes."""

    def __init__(self, root: Path, rows: VolumeRows, drivers: Drivers) -> None:
        self._root = root
        self._rows = rows
        self._drivers = drivers
        self._locks = KeyedThreadLock()
        self._reserved: dict[str, frozenset[str]] = {}
        # Uses that this engine began; others in the table are an earlier one's.
        self._begun = set[tuple[str, str]]()
        self.spares_plugins = False

    def existing(self, name: str) -> VolumeRow:
        """Return a volume that this engine made.

        Raises:
            NotFoundError: there is none, in Docker's words.
        """
        row = self._rows.get(name)
        if row is None or row.is_leaving:
            raise NotFoundError(f"get {name}: no such volume")
        return row

    def mount(self, name: str, user: str) -> Path:
        """Make the content ready for `user`, who says so by `unmount`; return where it is.

        A use that the same user began before and did not end is ended first.

        Raises:
            NotFoundError: no such volume, or its driver is gone.
            ConflictError: it is reserved.
            FaultError, UnavailableError: it could not be mounted, in Docker's words.
        """
        with self._locks.hold(name):
            row = self.existing(name)
            if user not in self._reserved.get(name, ()):
                self.refuse_reserved(name)
            driver, folder = self._drivers.find(row.driver), self._root / name
            if not self._rows.begin_use(name, user):
                with contextlib.suppress(NaruError):
                    driver.unmount(folder, row.options, user, is_last=False)
            self._begun.add((name, user))
            _NOTED()
            path = driver.mount(folder, row.options, user)
            _MOUNTED()
            return path

    def unmount(self, name: str, user: str) -> None:
        """Say that `user` needs the content no more. Idempotent.

        Raises:
            FaultError, UnavailableError, NotFoundError: it stays mounted, and `user` its user.
            PluginRefusedError: the plugin keeps it mounted, for whatever reason.
        """
        with self._locks.hold(name):
            row = self._rows.get(name)
            users = self._rows.users(name)
            if row is None or user not in users:
                return
            if self.spares_plugins and row.driver != LOCAL:
                return
            driver, folder = self._drivers.find(row.driver), self._root / name
            try:
                driver.unmount(folder, row.options, user, is_last=users == [user])
            except PluginRefusedError:
                # It has had its say: to tell it again would not change its mind.
                self._forget(name, user)
                raise
            self._forget(name, user)

    def _forget(self, name: str, user: str) -> None:
        self._rows.end_use(name, user)
        self._begun.discard((name, user))

    @contextlib.contextmanager
    def reserved(
        self, name: str, besides: Collection[str] = (), *, is_plain: bool = True
    ) -> Iterator[Path]:
        """Keep everybody from using a volume for the block, and yield the volume's folder.

        `besides` may go on, and come: they hold still, as the caller knows. `is_plain` says that
        the content has to be a directory of the volume's own.

        Raises:
            NotFoundError: no such volume.
            ConflictError: somebody else uses it.
            NotSupportedError: its content is mounted from elsewhere.
        """
        with self._locks.hold(name):
            row = self.existing(name)
            if is_plain and not is_own(row.driver, row.options):
                raise NotSupportedError(
                    f"volume {name}: its content is mounted from elsewhere; only volumes that are "
                    "directories of this engine can be kept and replaced as a whole"
                )
            users = [user for user in self._rows.users(name) if user not in besides]
            if users:
                raise ConflictError(f"volume is in use - [{', '.join(users)}]")
            self.refuse_reserved(name)
            self._reserved[name] = frozenset(besides)
        try:
            yield self._root / row.name
        finally:
            del self._reserved[name]

    def turn(self, name: str) -> contextlib.AbstractContextManager[None]:
        """Keep the uses of a volume as they are for the block. Not to be nested."""
        return self._locks.hold(name)

    def refuse_reserved(self, name: str) -> None:
        """Refuse what must not happen to a volume while it is reserved.

        Raises:
            ConflictError: it is.
        """
        if name in self._reserved:
            raise ConflictError(f"volume {name} is being copied or replaced: try again")

    def settle(self, users: Collection[str]) -> None:
        """End what an earlier engine's users left, but for `users`, who go on.

        What cannot be ended is logged, and tried at the next start.
        """
        for name, user in self._rows.uses():
            if user not in users and (name, user) not in self._begun:
                try:
                    self.unmount(name, user)
                except NaruError as error:
                    _log.warning("volume %s stays mounted for %s: %s", name, user, error.message)
