"""A container's end of a wire: found, and given what its endpoint says. For all drivers."""

from __future__ import annotations

from ipaddress import IPv6Interface

from naru.errors import FaultError
from naru.linux.netlink import Link, RouteSocket
from naru.network.model import VERSIONS, Endpoint, Sandbox, Version
from naru.network.options import endpoint_settings
from naru.network.plan import ways_out
from naru.network.sandbox import OpenSandbox, allow_ipv6, set_interface_sysctls


def existing(kernel: RouteSocket, name: str) -> Link:
    """Return an interface that must be there.

    Raises:
        FaultError: it is not.
    """
    link = kernel.link(name)
    if link is None:
        raise FaultError(f"interface {name} is gone")
    return link


def configure(sandbox: OpenSandbox, endpoint: Endpoint) -> None:
    """Give the interface its addresses, and bring it up. Idempotent.

    Raises:
        FaultError: the kernel refused.
    """
    name, addresses = endpoint.interface, endpoint.addresses
    if any(isinstance(address, IPv6Interface) for address in addresses):
        sandbox.run(lambda: allow_ipv6(name))
    link = existing(sandbox.kernel, name)
    for address in addresses:
        sandbox.kernel.add_address(link.index, address)
    sandbox.kernel.set_up(link.index)
    sysctls = endpoint_settings(endpoint.driver_options).sysctls
    if sysctls:
        sandbox.run(lambda: set_interface_sysctls(name, sysctls))


def is_configured(sandbox: OpenSandbox, endpoint: Endpoint) -> bool:
    """Say whether `configure` once came to its end, or a container did as it liked since."""
    link = sandbox.kernel.link(endpoint.interface)
    return link is None or link.is_up


def set_ways_out(opened: OpenSandbox, sandbox: Sandbox, before: Sandbox | None = None) -> None:
    """Make the default routes those of the right endpoints. Idempotent.

    What has not changed since `before` is left alone: the container may have a way of its own.

    Raises:
        FaultError: the kernel refused.
    """
    exits = ways_out(sandbox.endpoints)
    were = ways_out(before.endpoints) if before else {}
    for version in VERSIONS:
        endpoint = exits.get(version)
        if before and endpoint == were.get(version):
            continue
        if endpoint is None:
            for route in opened.kernel.default_routes(version):
                opened.kernel.remove_default_route(version, route)
            continue
        link = existing(opened.kernel, endpoint.interface)
        gateway = endpoint.gateway_address(version)
        opened.kernel.set_default_route(version, link.index, gateway)


def mend_ways_out(opened: OpenSandbox, sandbox: Sandbox) -> None:
    """Make the default routes right after an engine died, unless the container has its own.

    Raises:
        FaultError: the kernel refused.
    """
    exits = ways_out(sandbox.endpoints)
    for version, endpoint in exits.items():
        there = opened.kernel.default_routes(version)
        link = opened.kernel.link(endpoint.interface)
        foreign = any(not _is_ours(route.gateway, sandbox, version) for route in there)
        if link is not None and link.is_up and not foreign:
            gateway = endpoint.gateway_address(version)
            opened.kernel.set_default_route(version, link.index, gateway)


def _is_ours(gateway: object, sandbox: Sandbox, version: Version) -> bool:
    return any(endpoint.gateway_address(version) == gateway for endpoint in sandbox.endpoints)
