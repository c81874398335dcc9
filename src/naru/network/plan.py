"""What endpoints want in the kernel: pure, from networks and leases.

Names of wires and interfaces, hardware addresses, and which endpoint the way out leads through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from naru.errors import InvalidInputError
from naru.network.ipam import mac_for
from naru.network.model import (
    VERSIONS,
    Address,
    Endpoint,
    Network,
    Protocol,
    PublishedPort,
    Version,
)
from naru.network.options import bridge_settings

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_MULTICAST_BIT = 0x01
_RELAYED = ("tcp", "udp")


def link_name(endpoint_id: str) -> str:
    """Return the name of the host's end; the kernel allows 15 characters."""
    return f"veth{endpoint_id[:11]}"


def chosen_mac(asked_for: str, address: Address) -> str:
    """Return the hardware address asked for, or the one that belongs to the address.

    Raises:
        InvalidInputError: it is none, or a group's.
    """
    if not asked_for:
        return mac_for(address)
    mac_address = asked_for.lower().replace("-", ":")
    if not _MAC.fullmatch(mac_address) or int(mac_address[:2], 16) & _MULTICAST_BIT:
        raise InvalidInputError(f"invalid MAC address: {asked_for}")
    return mac_address


def free_interface(prefix: str, taken: Collection[str]) -> str:
    """Return the first interface name with this prefix that is not taken."""
    number = 0
    while f"{prefix}{number}" in taken:
        number += 1
    return f"{prefix}{number}"


def in_gateway_order(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """Return endpoints in the order in which they are asked for a way out.

    First goes the highest priority, then whoever has a way out for both versions, then the
    network whose name comes first; those without any way out are last.
    """

    def rank(endpoint: Endpoint) -> tuple[bool, int, int, str]:
        ways = sum(endpoint.has_way_out(version) for version in VERSIONS)
        return ways == 0, -endpoint.gateway_priority, -ways, endpoint.network_name

    return sorted(endpoints, key=rank)


def ways_out(endpoints: Iterable[Endpoint]) -> dict[Version, Endpoint]:
    """Return the endpoint of the default route for each version that has one.

    Published ports lead to the same endpoints, or answers would leave elsewhere.
    """
    found: dict[Version, Endpoint] = {}
    for endpoint in reversed(in_gateway_order(endpoints)):
        for version in VERSIONS:
            if endpoint.has_way_out(version):
                found[version] = endpoint
    return found


def port_owners(
    exits: Mapping[Version, Endpoint],
    networks: Mapping[str, Network],
    *,
    relays: bool = False,
) -> dict[Version, Endpoint]:
    """Return the endpoints that published ports can lead to: those on bridges.

    With `relays`, IPv6 ports of a container that has no IPv6 there lead to the owner of IPv4,
    unless that is reached at its own address, without ports of the host.
    """
    owners = {
        version: endpoint
        for version, endpoint in exits.items()
        if networks[endpoint.network_id].driver == "bridge"
    }
    inner = owners.get(4)
    if relays and inner is not None and 6 not in owners and not _is_routed(inner, networks):
        owners[6] = inner
    return owners


def _is_routed(endpoint: Endpoint, networks: Mapping[str, Network]) -> bool:
    return bridge_settings(networks[endpoint.network_id]).mode(4) == "routed"


def can_lead(protocol: Protocol, owner: Endpoint, version: Version) -> bool:
    """Say whether ports of a version can lead to an owner: by translation, or by a relay."""
    return bool(owner.address(version)) or protocol in _RELAYED


def ports_by_endpoint(
    published: Iterable[PublishedPort], owners: Mapping[Version, Endpoint]
) -> list[tuple[Endpoint, PublishedPort]]:
    """Return each port with the endpoint that it leads to; those that lead nowhere are left out."""
    return [
        (owner, port)
        for port in published
        if (owner := owners.get(port.version)) and can_lead(port.protocol, owner, port.version)
    ]


def relayed_ports(
    published: Iterable[PublishedPort], owners: Mapping[Version, Endpoint]
) -> dict[PublishedPort, tuple[str, int]]:
    """Return where those ports lead that no translation leads to: IPv4 address and port."""
    return {
        port: (owner.ipv4, port.container_port)
        for owner, port in ports_by_endpoint(published, owners)
        if not owner.address(port.version)
    }
