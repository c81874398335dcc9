"""A driver that is another program: volumes kept by a plugin, and the plugins that there are.

A plugin is looked for when somebody names it, and asked then what it is; until that time, and
while nobody uses it, it costs nothing. One that is gone or hangs fails the calls that need it.

Spec: Docker, plugin API (Plugin.Activate) and volume plugins (VolumeDriver.*).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from naru.errors import FaultError, InvalidInputError, NaruError, NotFoundError, UnavailableError
from naru.linux import fs
from naru.volumes import plugin_discovery, plugin_protocol
from naru.volumes.driver import Seen
from naru.volumes.plugin_protocol import Address, PluginRefusedError

_log = logging.getLogger(__name__)
_INTERFACE = "VolumeDriver"
_FOLDER_MODE = 0o701


class Patience:
    """How long a plugin may take, in seconds: to say what it is, to answer, and to act."""

    activate_s = 10.0
    answer_s = 20.0
    act_s = 120.0


class PluginDriver:
    """The volumes of one plugin."""

    def __init__(self, name: str, address: Address, scope: str, patience: Patience) -> None:
        self.name = name
        self.address = address
        self.scope = scope
        self._patience = patience

    def check(self, folder: Path, options: Mapping[str, str]) -> None:
        """See `VolumeDriver`. What its options are, only the plugin knows."""

    def create(self, folder: Path, options: Mapping[str, str]) -> None:
        """See `VolumeDriver`."""
        self._make_folder(folder)
        self._act("Create", Name=folder.name, Opts=dict(options))

    def look(self, folder: Path) -> Seen:
        """See `VolumeDriver`."""
        try:
            answer = self._ask("Get", Name=folder.name)
        except PluginRefusedError as error:
            raise NotFoundError(f"get {folder.name}: {error.message}") from error
        found = answer.get("Volume")
        if not isinstance(found, dict):
            raise self._wrong("Get", answer)
        return _seen({"Name": folder.name, **found})

    def known(self) -> Sequence[Seen]:
        """Return the volumes that the plugin has, whoever made them. Raises as `look`."""
        answer = self._ask("List")
        found = answer.get("Volumes") or []
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._wrong("List", answer)
        return [_seen(one) for one in found]

    def mount(self, folder: Path, options: Mapping[str, str], user: str) -> Path:
        """See `VolumeDriver`."""
        self._make_folder(folder)
        try:
            answer = self._act("Mount", Name=folder.name, ID=user)
        except NaruError as error:
            message = f"error while mounting volume '{folder.name}': {error.message}"
            raise type(error)(message) from error
        place = answer.get("Mountpoint")
        if not isinstance(place, str) or not place.startswith("/"):
            raise self._wrong("Mount", answer)
        if not Path(place).exists():
            raise FaultError(
                f"{_INTERFACE}.Mount: plugin {self.name} mounted volume {folder.name} at {place}, "
                "and there is nothing there"
            )
        return Path(place)

    def unmount(
        self, folder: Path, options: Mapping[str, str], user: str, *, is_last: bool
    ) -> None:
        """See `VolumeDriver`."""
        self._act("Unmount", Name=folder.name, ID=user)

    def remove(self, folder: Path) -> None:
        """See `VolumeDriver`."""
        self._act("Remove", Name=folder.name)
        self.forget(folder)

    @staticmethod
    def forget(folder: Path) -> None:
        """Delete what the engine itself keeps for a volume. Idempotent."""
        try:
            fs.remove_tree(folder)
        except OSError as error:
            raise FaultError(f"delete volume directory {folder}: {error}") from error

    @staticmethod
    def _make_folder(folder: Path) -> None:
        try:
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        except OSError as error:
            raise FaultError(f"error while creating volume path '{folder}': {error}") from error

    def _ask(self, method: str, **body: object) -> dict[str, object]:
        return self._call(method, body, self._patience.answer_s)

    def _act(self, method: str, **body: object) -> dict[str, object]:
        return self._call(method, body, self._patience.act_s)

    def _call(self, method: str, body: Mapping[str, object], timeout_s: float) -> dict[str, object]:
        return plugin_protocol.call(
            self.address, f"{_INTERFACE}.{method}", body, timeout_s=timeout_s
        )

    def _wrong(self, method: str, answer: Mapping[str, object]) -> FaultError:
        return FaultError(f"{_INTERFACE}.{method}: plugin {self.name} answered {answer!r:.200}")


def _seen(answer: Mapping[str, Any]) -> Seen:
    name, place, status = (answer.get(key) for key in ("Name", "Mountpoint", "Status"))
    return Seen(
        name=str(name or ""),
        mountpoint=Path(place) if isinstance(place, str) and place else None,
        status=status if isinstance(status, dict) else None,
    )


class PluginDrivers:
    """The plugins of some directories that keep volumes; those that were used are remembered."""

    def __init__(self, directories: Sequence[str], patience: Patience | None = None) -> None:
        self._directories = tuple(directories)
        self._patience = patience or Patience()
        self._lock = threading.Lock()
        self._active: dict[str, PluginDriver] = {}

    def find(self, name: str) -> PluginDriver | None:
        """Return a plugin that is there and keeps volumes; None where there is no such plugin.

        Raises:
            UnavailableError: it does not answer.
            FaultError: it answers what it may not.
            InvalidInputError: the file that says where it is makes no sense.
        """
        address = plugin_discovery.find(self._directories, name)
        with self._lock:
            known = self._active.get(name)
            if address is None:
                self._active.pop(name, None)
                return None
        # A context of TLS is made anew with each reading of its file.
        if known is not None and str(known.address) == str(address):
            return known
        driver = self._activate(name, address)
        if driver is not None:
            with self._lock:
                self._active[name] = driver
        return driver

    def all(self) -> list[PluginDriver]:
        """Return all plugins that keep volumes; those that do not answer are logged, and left out."""
        found = []
        for name in plugin_discovery.names(self._directories):
            try:
                driver = self.find(name)
            except NaruError as error:
                _log.warning("plugin %s: %s", name, error.message)
                continue
            if driver is not None:
                found.append(driver)
        return found

    def active_names(self) -> list[str]:
        """Return the plugins that were used, without asking anybody."""
        with self._lock:
            return sorted(self._active)

    def _activate(self, name: str, address: Address) -> PluginDriver | None:
        timeout_s = self._patience.activate_s
        answer = plugin_protocol.call(address, "Plugin.Activate", {}, timeout_s=timeout_s)
        implemented = answer.get("Implements")
        if not isinstance(implemented, list):
            raise FaultError(f"Plugin.Activate: plugin {name} answered {answer!r:.200}")
        if _INTERFACE not in implemented:
            return None
        scope = "local"
        # Plugins of the first days do not know the question.
        with contextlib.suppress(PluginRefusedError):
            said = plugin_protocol.call(
                address, f"{_INTERFACE}.Capabilities", {}, timeout_s=timeout_s
            ).get("Capabilities")
            if isinstance(said, dict) and said.get("Scope"):
                scope = str(said["Scope"]).lower()
        if scope not in ("local", "global"):
            raise FaultError(f"plugin {name}: scope {scope!r} is neither local nor global")
        return PluginDriver(name, address, scope, self._patience)


def lookup_failure(name: str, error: NaruError) -> NaruError:
    """Return the error of a driver that is there and cannot be used, in Docker's words."""
    message = f"error looking up volume plugin {name}: {error.message}"
    kinds = (UnavailableError, InvalidInputError)
    kind = next((kind for kind in kinds if isinstance(error, kind)), FaultError)
    return kind(message)
