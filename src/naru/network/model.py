"""What the network package speaks of: networks, endpoints, sandboxes, published ports.

A *network* is what endpoints share; an *endpoint* is one container's place in one network; a
*sandbox* is a container's network namespace with all its endpoints. Plain values, without I/O.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import Literal

from naru.errors import FaultError

Protocol = Literal["tcp", "udp", "sctp"]
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp", "sctp")
ANY_ADDRESS = "0.0.0.0"
DEFAULT_NETWORK = "bridge"
BUILTIN_NETWORKS = frozenset({"bridge", "host", "none"})


class PublishError(FaultError):
    """A port cannot be published. Docker answers 500 for it, so it is a fault."""


@dataclass(frozen=True, slots=True)
class AddressPool:
    """Where subnets come from: those of `size` bits inside `base`."""

    base: IPv4Network
    size: int


# Docker's own: sixteen-bit subnets from 172.17 on, then twenty-bit ones of 192.168.
DEFAULT_ADDRESS_POOLS = (
    *(AddressPool(IPv4Network(f"172.{second}.0.0/16"), 16) for second in range(17, 32)),
    AddressPool(IPv4Network("192.168.0.0/16"), 20),
)


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What the engine was told about networks.

    `bridge` names the interface of the default network, or is "none" for an engine without
    one. `bip` is its address with the prefix length; None means to choose. An empty
    `address_pools` means Docker's. `table` is the nft table that is ours alone.
    """

    exec_root: Path
    bridge: str
    bip: str | None = None
    table: str = "naru"
    mtu: int = 1500
    address_pools: tuple[AddressPool, ...] = ()
    icc: bool = True
    ip_masq: bool = True
    ip_forward: bool = True
    default_host_ip: str = ANY_ADDRESS


@dataclass(frozen=True, slots=True)
class PortRequest:
    """A port of the container that shall be reachable through the host.

    `host_ip` may be empty: the engine's default. `host_port` 0 means any free one; up to
    `host_port_end`, the first free one is taken.
    """

    container_port: int
    protocol: Protocol = "tcp"
    host_ip: str = ""
    host_port: int = 0
    host_port_end: int = 0


@dataclass(frozen=True, slots=True, order=True)
class PublishedPort:
    """A port of the host that leads into a container."""

    container_port: int
    protocol: Protocol
    host_ip: str
    host_port: int


@dataclass(frozen=True, kw_only=True)
class EndpointRequest:
    """A container that shall be connected to a network."""

    container_id: str
    container_name: str
    network: str = DEFAULT_NETWORK
    ports: tuple[PortRequest, ...] = ()
    mac_address: str = ""
    ipv4_address: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A container's place in a network. Without an address (network none) the texts are empty."""

    network_id: str
    network_name: str
    endpoint_id: str
    ipv4: str
    prefix_length: int
    gateway: str
    mac_address: str


@dataclass(frozen=True, slots=True)
class Sandbox:
    """A container's network namespace and what leads there."""

    container_id: str
    netns_path: Path
    endpoints: tuple[Endpoint, ...]
    published: tuple[PublishedPort, ...]


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network. `subnet` and `gateway` are empty where the driver has no addresses."""

    id: str
    name: str
    driver: str
    created_ns: int
    scope: str = "local"
    subnet: str = ""
    gateway: str = ""
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    @property
    def is_builtin(self) -> bool:
        """Say whether every engine has it, so that it cannot be removed."""
        return self.name in BUILTIN_NETWORKS

    @property
    def gateway_interface(self) -> IPv4Interface:
        """The bridge's own address in the subnet.

        Raises:
            RuntimeError: the network has no addresses.
        """
        if not self.subnet:
            raise RuntimeError(f"network {self.name} has no addresses")
        return IPv4Interface(f"{self.gateway}/{IPv4Network(self.subnet).prefixlen}")
