"""A container's /etc/hosts: written when it starts, amended while it runs."""

from __future__ import annotations

from pathlib import Path

from naru.engine.containers.links import links_of
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.network import etc_files
from naru.network.model import Sandbox


def hosts(ctx: EngineContext, container: Container, sandbox: Sandbox | None) -> str:
    """Return the file of a container that starts."""
    extra = [_extra_host(ctx, text) for text in container.host_config.extra_hosts or ()]
    if container.network_mode == "host":
        return etc_files.hosts_text_of_host(_host_text(), extra)
    return etc_files.hosts_text(
        hostname=container.config.hostname,
        domainname=container.config.domainname,
        addresses=_own_addresses(sandbox) if sandbox else (),
        extra_hosts=extra,
        links=[(link.address, link.host_names) for link in links_of(ctx, container)],
    )


def update_hosts(ctx: EngineContext, container: Container, sandbox: Sandbox) -> None:
    """Let the file of a running container say which addresses it has now. Blocking.

    Whatever the container wrote there itself stays.
    """
    path = ctx.config.container_dir(container.id) / "hosts"
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    amended = etc_files.with_own_addresses(
        text,
        hostname=container.config.hostname,
        domainname=container.config.domainname,
        addresses=_own_addresses(sandbox),
    )
    if amended != text:
        # The same file, for the container has it mounted.
        path.write_text(amended, encoding="utf-8", errors="surrogateescape")


def _own_addresses(sandbox: Sandbox) -> list[str]:
    return [address for endpoint in sandbox.endpoints for address in (endpoint.ipv4, endpoint.ipv6)]


def _extra_host(ctx: EngineContext, text: str) -> tuple[str, str]:
    name, _, address = text.replace("=", ":", 1).partition(":")
    if address == "host-gateway":
        address = ctx.config.host_gateway_ip or ctx.networks.gateway("bridge")
    return name, address.strip("[]")


def _host_text() -> str:
    try:
        return Path("/etc/hosts").read_text(encoding="utf-8")
    except OSError:
        return ""
