"""What the network package speaks of: networks, endpoints, sandboxes, published ports.

A *network* is what endpoints share; an *endpoint* is one container's place in one network; a
*sandbox* is a container's network namespace with all its endpoints. Plain values, without I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_address,
    ip_interface,
    ip_network,
)
from pathlib import Path
from typing import Literal

from naru.errors import FaultError, ForbiddenError

Protocol = Literal["tcp", "udp", "sctp"]
PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp", "sctp")
Version = Literal[4, 6]
VERSIONS: tuple[Version, ...] = (4, 6)
Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
IpNetwork = IPv4Network | IPv6Network
ANY_ADDRESS = "0.0.0.0"
ANY_ADDRESS6 = "::"
DEFAULT_NETWORK = "bridge"
BUILTIN_NETWORKS = frozenset({"bridge", "host", "none"})


class PublishError(FaultError):
    """A port cannot be published. Docker answers 500 for it, so it is a fault."""


class PoolOverlapError(ForbiddenError):
    """A subnet is, or overlaps, another network's."""


@dataclass(frozen=True, slots=True)
class AddressPool:
    """Where subnets come from: those of `size` bits inside `base`."""

    base: IpNetwork
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
    `address_pools` means Docker's. `table` is the nft table that is ours alone; interfaces that
    we make carry it in their alias. `engine_id` is what IPv6 subnets of our own come from. Ports
    that name no address are published on `default_host_ips`, unless their network says otherwise;
    with `asks_host` the host's own firewall decides who reaches them. With `relays_ports`, IPv6
    clients reach ports of containers that have IPv4 alone. `firewall_rules` is a file
    with rules of the administrator's, which must be there if it `needs_firewall_rules`.
    """

    exec_root: Path
    bridge: str
    bip: str | None = None
    bip6: str | None = None
    fixed_cidr: str | None = None
    fixed_cidr_v6: str | None = None
    ipv6: bool = False
    table: str = "naru"
    mtu: int = 1500
    address_pools: tuple[AddressPool, ...] = ()
    icc: bool = True
    ip_masq: bool = True
    ip_forward: bool = True
    default_host_ips: tuple[str, ...] = (ANY_ADDRESS,)
    asks_host: bool = False
    relays_ports: bool = True
    firewall_rules: Path | None = None
    needs_firewall_rules: bool = False
    engine_id: str = ""


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
    """A port of the host that leads into a container.

    `host_port` is 0 where the container is reached at its own address, without translation.
    """

    container_port: int
    protocol: Protocol
    host_ip: str
    host_port: int

    @property
    def version(self) -> Version:
        """Which of the container's addresses it leads to."""
        return 6 if ":" in self.host_ip else 4


@dataclass(frozen=True, kw_only=True)
class EndpointRequest:
    """One network that a container shall be connected to, and how.

    `reaches` are pairs of a neighbour's address and a port (`80/tcp`): links, which open that
    port even where neighbours do not reach each other. `prefers` are addresses that it takes if
    they are free, one of each kind; it had them before.
    """

    network: str = DEFAULT_NETWORK
    mac_address: str = ""
    ipv4_address: str = ""
    ipv6_address: str = ""
    link_local: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    driver_options: Mapping[str, str] = field(default_factory=dict)
    gateway_priority: int = 0
    reaches: tuple[tuple[str, str], ...] = ()
    prefers: tuple[str, str] = ("", "")


@dataclass(frozen=True, kw_only=True)
class SandboxRequest:
    """A container that shall have a sandbox: what it is called, and all that leads there."""

    container_id: str
    container_name: str
    hostname: str = ""
    endpoints: tuple[EndpointRequest, ...] = (EndpointRequest(),)
    ports: tuple[PortRequest, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """A container's place in a network. What it lacks is empty; network none gives nothing.

    `gateway` is where its default route would lead. `routes_by_device` says that it has one
    that leads to no gateway, but to whoever is on the wire.
    """

    endpoint_id: str
    network_id: str
    network_name: str
    container_id: str
    container_name: str
    hostname: str = ""
    interface: str = ""
    mac_address: str = ""
    ipv4: str = ""
    prefix_length: int = 0
    gateway: str = ""
    ipv6: str = ""
    ipv6_prefix_length: int = 0
    ipv6_gateway: str = ""
    link_local: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    driver_options: Mapping[str, str] = field(default_factory=dict)
    gateway_priority: int = 0
    routes_by_device: bool = False
    reaches: tuple[tuple[str, str], ...] = ()

    @property
    def addresses(self) -> list[Interface]:
        """Its addresses with their prefix lengths, IPv4 first; link-local ones last."""
        pairs = [(self.ipv4, self.prefix_length), (self.ipv6, self.ipv6_prefix_length)]
        found = [ip_interface(f"{address}/{length}") for address, length in pairs if address]
        lengths = ((text, 64 if ":" in text else 16) for text in self.link_local)
        return found + [ip_interface(f"{text}/{length}") for text, length in lengths]

    def address(self, version: Version) -> str:
        """Return its address of a version, or nothing."""
        return self.ipv4 if version == 4 else self.ipv6

    def gateway_address(self, version: Version) -> Address | None:
        """Return the gateway of a version, or None."""
        text = self.gateway if version == 4 else self.ipv6_gateway
        return ip_address(text) if text else None

    def has_way_out(self, version: Version) -> bool:
        """Say whether a default route can lead through it."""
        by_device = self.routes_by_device and bool(self.address(version))
        return by_device or self.gateway_address(version) is not None


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """A container's network namespace and what leads there; there may be no network at all."""

    container_id: str
    netns_path: Path
    endpoints: tuple[Endpoint, ...] = ()
    published: tuple[PublishedPort, ...] = ()

    def endpoint_on(self, network_id: str) -> Endpoint | None:
        """Return its endpoint on a network, or None."""
        return next((e for e in self.endpoints if e.network_id == network_id), None)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """One subnet of a network.

    `gateway` is where containers send what is for elsewhere; on a bridge, it is the host's own
    address. `is_chosen` says that a user named the subnet: only then may containers ask for
    addresses. `shows_gateway` says whether the API tells the gateway, as Docker does not always.
    """

    subnet: str
    gateway: str = ""
    ip_range: str = ""
    auxiliary: Mapping[str, str] = field(default_factory=dict)
    is_chosen: bool = False
    shows_gateway: bool = True

    @property
    def network(self) -> IpNetwork:
        """The subnet as a value."""
        return ip_network(self.subnet)

    @property
    def version(self) -> Version:
        """Its version of the internet protocol."""
        return 6 if ":" in self.subnet else 4

    @property
    def gateway_interface(self) -> Interface | None:
        """The gateway with the subnet's prefix length, or None."""
        if not self.gateway:
            return None
        return ip_interface(f"{self.gateway}/{self.network.prefixlen}")


@dataclass(frozen=True, kw_only=True)
class NetworkRequest:
    """A network that shall be made; its pools are what the user said, and may be incomplete.

    `is_configuration` makes one that only holds a configuration; `configured_by` names such a one
    that the network takes its own from.
    """

    name: str
    driver: str = "bridge"
    pools: tuple[Pool, ...] = ()
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ipam_driver: str = "default"
    ipam_options: Mapping[str, str] | None = None
    is_configuration: bool = False
    configured_by: str = ""


@dataclass(frozen=True, kw_only=True)
class Network:
    """A network. `pools` is empty where the driver has no addresses.

    One that `is_leaving` was not quite made, or is not quite removed, when an engine ended.
    `borrows_interface` says that what it stands on was there before it, and will be after it.
    One that `is_configuration` has no containers and nothing in the kernel, and its subnets are
    only what a user said of them; `configured_by` is the name of one that a network was made from.
    """

    id: str
    name: str
    driver: str
    created_ns: int
    scope: str = "local"
    pools: tuple[Pool, ...] = ()
    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    options: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    ipam_driver: str = "default"
    ipam_options: Mapping[str, str] | None = None
    is_leaving: bool = False
    borrows_interface: bool = False
    is_configuration: bool = False
    configured_by: str = ""

    @property
    def is_builtin(self) -> bool:
        """Say whether every engine has it, so that it cannot be removed."""
        return self.name in BUILTIN_NETWORKS

    @property
    def is_default(self) -> bool:
        """Say whether it is where containers go that name no network."""
        return self.name == DEFAULT_NETWORK

    def pools_of(self, version: Version) -> list[Pool]:
        """Return its subnets of a version."""
        return [pool for pool in self.pools if pool.version == version]

    @property
    def gateway(self) -> str:
        """Its first IPv4 gateway, or nothing."""
        return next((pool.gateway for pool in self.pools_of(4)), "")
