"""The drivers of an engine, by name: its own, and those that are plugins."""

from __future__ import annotations

from collections.abc import Sequence

from naru.errors import NaruError, NotFoundError
from naru.volumes.driver import VolumeDriver
from naru.volumes.local import LocalDriver
from naru.volumes.model import LOCAL
from naru.volumes.plugin_driver import PluginDriver, PluginDrivers, lookup_failure


class Drivers:
    """Finds drivers. Finding a plugin may have to ask it what it is, and blocks meanwhile."""

    def __init__(self, plugin_directories: Sequence[str] = ()) -> None:
        self.local = LocalDriver()
        self._plugins = PluginDrivers(plugin_directories)

    def find(self, name: str) -> VolumeDriver:
        """Return a driver.

        Raises:
            NotFoundError: there is none, in Docker's words.
            UnavailableError, FaultError, InvalidInputError: it is there, and does not work.
        """
        if name == LOCAL:
            return self.local
        try:
            driver = self._plugins.find(name)
        except NaruError as error:
            raise lookup_failure(name, error) from error
        if driver is None:
            raise NotFoundError(f'error looking up volume plugin {name}: plugin "{name}" not found')
        return driver

    def plugins(self) -> list[PluginDriver]:
        """Return the plugins that answer."""
        return self._plugins.all()

    def names(self) -> list[str]:
        """Return the drivers in use, the engine's own first."""
        return [LOCAL, *self._plugins.active_names()]
