"""What endpoints want in the kernel: pure, from networks and leases.

Names of wires and interfaces, hardware addresses, and which endpoint the way out leads through.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from naru.errors import InvalidInputError
from naru.network.ipam import mac_for
from naru.network.model import VERSIONS, Address, Endpoint, Network, PublishedPort, Version

_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_MULTICAST_BIT = 0x01


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
    exits: Mapping[Version, Endpoint], networks: Mapping[str, Network]
) -> dict[Version, Endpoint]:
    """Return the endpoints that published ports can lead to: those on bridges."""
    return {
        version: endpoint
        for version, endpoint in exits.items()
        if networks[endpoint.network_id].driver == "bridge"
    }


def ports_by_endpoint(
    published: Iterable[PublishedPort], owners: Mapping[Version, Endpoint]
) -> list[tuple[Endpoint, PublishedPort]]:
    """Return each port with the endpoint that it leads to."""
    return [(owners[port.version], port) for port in published if port.version in owners]
