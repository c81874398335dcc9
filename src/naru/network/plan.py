"""What an endpoint on a bridge wants in the kernel: pure, from the network and its lease."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface

from naru.errors import InvalidInputError
from naru.network.ipam import mac_for
from naru.network.model import Endpoint, Network

INTERFACE_NAME = "eth0"
_MAC = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_MULTICAST_BIT = 0x01


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    """The wire from a bridge into a namespace, and what the inner end is given."""

    bridge: str
    link_name: str
    interface_name: str
    mac_address: str
    address: IPv4Interface
    gateway: IPv4Address
    mtu: int
    is_isolated: bool


def plan_endpoint(network: Network, endpoint: Endpoint) -> EndpointPlan:
    """Return what the kernel shall hold for `endpoint` of the bridge network `network`."""
    options = network.options
    return EndpointPlan(
        bridge=options[OPTION_BRIDGE],
        link_name=link_name(endpoint.endpoint_id),
        interface_name=INTERFACE_NAME,
        mac_address=endpoint.mac_address,
        address=IPv4Interface(f"{endpoint.ipv4}/{endpoint.prefix_length}"),
        gateway=IPv4Address(endpoint.gateway),
        mtu=int(options[OPTION_MTU]),
        is_isolated=options[OPTION_ICC] != "true",
    )


def link_name(endpoint_id: str) -> str:
    """Return the name of the host's end; the kernel allows 15 characters."""
    return f"veth{endpoint_id[:11]}"


def chosen_mac(asked_for: str, address: IPv4Address) -> str:
    """Return the hardware address asked for, or the one that belongs to the IPv4 address.

    Raises:
        InvalidInputError: it is none, or a group's.
    """
    if not asked_for:
        return mac_for(address)
    mac_address = asked_for.lower().replace("-", ":")
    if not _MAC.fullmatch(mac_address) or int(mac_address[:2], 16) & _MULTICAST_BIT:
        raise InvalidInputError(f"invalid MAC address: {asked_for}")
    return mac_address


OPTION_BRIDGE = "com.docker.network.bridge.name"
OPTION_DEFAULT = "com.docker.network.bridge.default_bridge"
OPTION_ICC = "com.docker.network.bridge.enable_icc"
OPTION_MASQUERADE = "com.docker.network.bridge.enable_ip_masquerade"
OPTION_HOST_IP = "com.docker.network.bridge.host_binding_ipv4"
OPTION_MTU = "com.docker.network.driver.mtu"
