"""A container's /etc/resolv.conf, and the name servers behind the embedded one."""

from __future__ import annotations

from pathlib import Path

from naru.engine.context import EngineConfig, EngineContext
from naru.engine.model import Container
from naru.network import etc_files

# Where systemd-resolved keeps the servers that stand behind its stub on loopback.
_RESOLVED_CONF = "/run/systemd/resolve/resolv.conf"


def name_servers(config: EngineConfig, container: Container | None) -> tuple[str, ...]:
    """Return who is asked for what no network of a container knows: its own, ours, the host's."""
    own = container.host_config.dns if container else None
    return tuple(own or config.dns or etc_files.name_servers(_read("/etc/resolv.conf")))


def resolv_conf(ctx: EngineContext, container: Container) -> str:
    """Return the file of a container that starts; its sandbox is there already."""
    is_embedded = ctx.networks.named_netns(container.id) is not None
    return _text(ctx, container, is_embedded=is_embedded)


def update_resolv_conf(ctx: EngineContext, container: Container) -> None:
    """Let the file of a running container name the embedded server, or no longer. Blocking.

    A file that the container has changed is left alone.
    """
    path = ctx.config.container_dir(container.id) / "resolv.conf"
    wanted = resolv_conf(ctx, container)
    generated = {_text(ctx, container, is_embedded=kind) for kind in (False, True)}
    try:
        if path.read_text(encoding="utf-8", errors="replace") in generated - {wanted}:
            # The same file, for the container has it mounted.
            path.write_text(wanted, encoding="utf-8")
    except FileNotFoundError:
        return


def _text(ctx: EngineContext, container: Container, *, is_embedded: bool) -> str:
    host_config, config = container.host_config, ctx.config
    search = host_config.dns_search or config.dns_search
    options = host_config.dns_options or config.dns_options
    if is_embedded:
        return etc_files.embedded_resolv_conf_text(
            _read("/etc/resolv.conf"),
            servers=name_servers(config, container),
            search=search,
            options=options,
        )
    host_text = _read("/etc/resolv.conf")
    if etc_files.is_resolved_stub(host_text):
        host_text = _read(_RESOLVED_CONF) or host_text
    return etc_files.resolv_conf_text(
        host_text,
        dns=host_config.dns or config.dns,
        search=search,
        options=options,
        own_loopback=container.network_mode != "host",
    )


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
