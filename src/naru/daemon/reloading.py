"""SIGHUP: read the configuration again and apply what a running engine can change.

That is the log level, mirrors, insecure registries, and what stands in the file of firewall rules.
Everything else is compared, and what differs is named, so that nobody believes in a setting that
is not in force.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import fields

from naru.daemon.settings import DaemonConfig
from naru.errors import NaruError

_log = logging.getLogger(__name__)
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
}
_APPLIED = frozenset({"debug", "log_level", "registry_mirror", "insecure_registry"})


def set_log_level(config: DaemonConfig) -> None:
    """Let the root logger follow the configuration."""
    level = logging.DEBUG if config.debug else _LEVELS[config.log_level]
    logging.getLogger().setLevel(level)


class Reloader:
    """Holds the settings in force.

    `apply` is told the new ones, as soon as there is an engine that can use them.
    """

    def __init__(self, config: DaemonConfig, load: Callable[[], DaemonConfig]) -> None:
        self._config = config
        self._load = load
        self.apply: Callable[[DaemonConfig], None] = lambda _: None

    def __call__(self) -> None:
        """Reload. A configuration that is wrong changes nothing."""
        try:
            wanted = self._load()
        except (NaruError, OSError) as error:
            _log.error("the configuration stays as it was: %s", error)
            return
        set_log_level(wanted)
        self.apply(wanted)
        differing = sorted(
            field.name.replace("_", "-")
            for field in fields(wanted)
            if field.name not in _APPLIED
            and getattr(wanted, field.name) != getattr(self._config, field.name)
        )
        if differing:
            _log.warning("these settings change at the next start: %s", ", ".join(differing))
        _log.info("reloaded: log level, mirrors and insecure registries are in force")
