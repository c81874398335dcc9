"""What the host reaches, and by what: subnets of ours had better not be in the way."""

from __future__ import annotations

from dataclasses import dataclass

from naru.linux.netlink import RouteSocket
from naru.network.model import Interface, IpNetwork, Version

# A VPN takes all there is as two halves or four quarters: a default route, and no network.
_WHOLE = 2


@dataclass(frozen=True, slots=True)
class HostNetworks:
    """A bridge's own addresses, what is on the host's other wires, and what lies behind routers."""

    own: list[Interface]
    near: list[IpNetwork]
    far: list[IpNetwork]


def host_networks(bridge: str, version: Version) -> HostNetworks:
    """Return what the host's interfaces lead to; `bridge` may be empty, or not there."""
    with RouteSocket() as kernel:
        link = kernel.link(bridge) if bridge else None
        index = link.index if link else -1
        addresses, routes = kernel.addresses(version), kernel.routes(version)
    own = [address for owner, address in addresses if owner == index]
    near: list[IpNetwork] = [address.network for owner, address in addresses if owner != index]
    far: list[IpNetwork] = []
    for route in routes:
        if route.link == index or route.destination.prefixlen <= _WHOLE:
            continue
        # A route over several routers names no interface of its own.
        is_near = route.link and route.gateway is None
        (near if is_near else far).append(route.destination)
    return HostNetworks(own, near, far)
