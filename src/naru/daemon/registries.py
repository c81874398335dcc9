"""What the configuration says of registries: where they are, whom to trust, and the way there."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from naru.daemon.settings import DaemonConfig
from naru.distribution.hosts import HostsConfig
from naru.distribution.proxies import Proxies
from naru.engine.context import EngineContext


def hosts_of(config: DaemonConfig) -> HostsConfig:
    """Return mirrors and insecure registries.

    Raises:
        InvalidInputError: an entry is none.
    """
    return HostsConfig(
        config.insecure_registry, config.registry_mirror, Path(config.registry_certs_dir)
    )


def proxies_of(config: DaemonConfig) -> Proxies:
    """Return the proxies of the configuration, or else of the environment.

    Raises:
        InvalidInputError: one is no proxy that we speak to.
    """
    return Proxies.configured(config.http_proxy, config.https_proxy, config.no_proxy, os.environ)


def reload_registries(ctx: EngineContext, config: DaemonConfig) -> None:
    """Let a running engine ask the registries of another configuration, and tell of it.

    What is under way goes on as it began.
    """
    ctx.images.http.hosts = hosts_of(config)
    lists = {
        "registry-mirrors": config.registry_mirror,
        "insecure-registries": config.insecure_registry,
    }
    attributes = {name: msgspec.json.encode(value).decode() for name, value in lists.items()}
    named = {"name": ctx.config.hostname, "debug": str(config.debug).lower()}
    ctx.events.publish("daemon", "reload", ctx.config.engine_id, named | attributes)
