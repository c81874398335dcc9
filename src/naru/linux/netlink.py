"""Links, addresses and routes of one network namespace, by rtnetlink.

Every function is one or few messages over a socket of our own: no forks, no cache, and about
30 µs each where the kernel has nothing to wait for.

Spec: rtnetlink(7), veth(4), linux/if_link.h.
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)
from typing import Literal

from naru.linux.netlink_socket import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    NetlinkError,
    NetlinkSocket,
    attribute,
    attributes,
    nested_attribute,
    number_attribute,
    text_attribute,
)

Version = Literal[4, 6]
Address = IPv4Address | IPv6Address
Interface = IPv4Interface | IPv6Interface
Subnet = IPv4Network | IPv6Network

_NETLINK_ROUTE = 0
_AF_UNSPEC, _AF_INET, _AF_BRIDGE, _AF_INET6 = 0, 2, 7, 10
_FAMILIES: dict[int, int] = {4: _AF_INET, 6: _AF_INET6}
_RTM_NEWLINK, _RTM_DELLINK, _RTM_GETLINK, _RTM_SETLINK = 16, 17, 18, 19
_RTM_NEWADDR, _RTM_DELADDR, _RTM_GETADDR = 20, 21, 22
_RTM_NEWROUTE, _RTM_DELROUTE, _RTM_GETROUTE = 24, 25, 26
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_PROTINFO = 1, 3, 4, 10, 12
_IFLA_LINK = 5
_IFLA_LINKINFO, _IFLA_IFALIAS, _IFLA_GROUP, _IFLA_NET_NS_FD = 18, 20, 27, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA = 1, 2
_IFLA_BRPORT_MODE, _IFLA_BRPORT_ISOLATED = 4, 33
_VETH_INFO_PEER = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_BROADCAST, _IFA_FLAGS = 1, 2, 4, 8
# An address of ours is nobody else's: without the check for duplicates it works at once.
_IFA_F_NODAD = 0x02
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_TABLE = 1, 4, 5, 15
_RT_TABLE_MAIN = 254
_RTPROT_BOOT, _RTN_UNICAST = 3, 1
_RT_SCOPE_UNIVERSE, _RT_SCOPE_LINK, _RT_SCOPE_HOST = 0, 253, 254
_IFF_UP, _IFF_NOARP = 0x1, 0x80

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_ROUTE = struct.Struct("=BBBBBBBBI")


@dataclass(frozen=True, slots=True)
class Link:
    """A network interface. `master` is the index of its bridge, or 0; `kind` may be empty.

    `alias` is a text that whoever made it may have left on it.
    """

    index: int
    name: str
    kind: str
    mac_address: str
    mtu: int
    master: int
    is_up: bool
    alias: str = ""


@dataclass(frozen=True, slots=True)
class NewLink:
    """An interface to be made; `data` is what its kind wants to know, see `link_kinds`.

    It stands on the interface with the index `parent`, if its kind does so, and appears in the
    namespace that `netns_fd` names, if there is one.
    """

    name: str
    kind: str
    parent: int = 0
    mac_address: str = ""
    mtu: int = 0
    netns_fd: int | None = None
    data: bytes = b""


@dataclass(frozen=True, slots=True)
class VethPair:
    """A pair to be made: `name` here, under the bridge `master` if there is one, and `peer_name`.

    The peer is in the namespace that `peer_netns_fd` names, or here, too. Without `asks_neighbours`
    all that is sent has the sender's own hardware address, which the peer should then have, too.
    """

    name: str
    peer_name: str
    peer_mac_address: str
    mtu: int
    master: int = 0
    peer_netns_fd: int | None = None
    mac_address: str = ""
    asks_neighbours: bool = True


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route of the main table; `link` is the index of its interface, or 0."""

    destination: Subnet
    link: int
    gateway: Address | None = None


class RouteSocket(NetlinkSocket):
    """The links, addresses and routes of the namespace that the socket was opened in."""

    def __init__(self) -> None:
        super().__init__(_NETLINK_ROUTE)

    def links(self) -> list[Link]:
        """Return all interfaces."""
        return [_link(body) for body in self.dump("list links", _RTM_GETLINK, _LINK_ANY)]

    def link(self, name: str) -> Link | None:
        """Return the interface `name`, or None."""
        body = _LINK_ANY + text_attribute(_IFLA_IFNAME, name)
        try:
            return _link(self.query(f"find link {name}", _RTM_GETLINK, body))
        except NetlinkError as error:
            if error.errno == errno.ENODEV:
                return None
            raise

    def addresses(self, version: Version = 4) -> list[tuple[int, Interface]]:
        """Return all addresses of a version, each with the index of its interface."""
        found = []
        body = _ADDRESS.pack(_FAMILIES[version], 0, 0, 0, 0)
        for answer in self.dump("list addresses", _RTM_GETADDR, body):
            _, prefix_length, _, _, index = _ADDRESS.unpack_from(answer)
            values = attributes(answer[_ADDRESS.size :])
            raw = values.get(_IFA_LOCAL) or values.get(_IFA_ADDRESS)
            if raw:
                found.append((index, ip_interface((raw, prefix_length))))
        return found

    def routes(self, version: Version = 4) -> list[Route]:
        """Return the routes of the main table of a version."""
        found = []
        size = 4 if version == 4 else 16
        body = _ROUTE.pack(_FAMILIES[version], 0, 0, 0, 0, 0, 0, 0, 0)
        for answer in self.dump("list routes", _RTM_GETROUTE, body):
            _, prefix_length, _, _, table, _, _, kind, _ = _ROUTE.unpack_from(answer)
            values = attributes(answer[_ROUTE.size :])
            table = _number(values.get(_RTA_TABLE)) or table
            if table == _RT_TABLE_MAIN and kind == _RTN_UNICAST:
                destination = ip_network((values.get(_RTA_DST, bytes(size)), prefix_length))
                gateway = values.get(_RTA_GATEWAY)
                found.append(
                    Route(
                        destination,
                        _number(values.get(_RTA_OIF)),
                        ip_interface(gateway).ip if gateway else None,
                    )
                )
        return found

    def default_routes(self, version: Version) -> list[Route]:
        """Return the routes that take what no other does."""
        return [route for route in self.routes(version) if route.destination.prefixlen == 0]

    def add_link(self, link: NewLink) -> None:
        """Make an interface, down.

        The hardware address of a bridge that is given one stays, whatever joins it.

        Raises:
            NetlinkError: `EEXIST` when the name is taken, or another refusal.
        """
        body = _LINK_ANY + text_attribute(_IFLA_IFNAME, link.name)
        if link.mac_address:
            body += attribute(_IFLA_ADDRESS, _mac_bytes(link.mac_address))
        for kind, value in (
            (_IFLA_MTU, link.mtu),
            (_IFLA_LINK, link.parent),
            (_IFLA_NET_NS_FD, link.netns_fd),
        ):
            if value:
                body += number_attribute(kind, value)
        info = [text_attribute(_IFLA_INFO_KIND, link.kind)]
        if link.data:
            info.append(nested_attribute(_IFLA_INFO_DATA, link.data))
        body += nested_attribute(_IFLA_LINKINFO, *info)
        self.change(f"add {link.kind} {link.name}", _RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL)

    def add_veth(self, pair: VethPair) -> None:
        """Make both ends where they belong, this one up. Atomic: there are both or none.

        Raises:
            NetlinkError: a name is taken, the bridge is full or gone, …
        """
        flags = 0 if pair.asks_neighbours else _IFF_NOARP
        # The kernel opens the peer before the two know each other, so it cannot begin up.
        peer = (
            _LINK.pack(_AF_UNSPEC, 0, 0, flags, flags)
            + text_attribute(_IFLA_IFNAME, pair.peer_name)
            + attribute(_IFLA_ADDRESS, _mac_bytes(pair.peer_mac_address))
            + number_attribute(_IFLA_MTU, pair.mtu)
        )
        if pair.peer_netns_fd is not None:
            peer += number_attribute(_IFLA_NET_NS_FD, pair.peer_netns_fd)
        mac_address = _mac_bytes(pair.mac_address)
        body = (
            _LINK.pack(_AF_UNSPEC, 0, 0, _IFF_UP | flags, _IFF_UP | flags)
            + (attribute(_IFLA_ADDRESS, mac_address) if mac_address else b"")
            + text_attribute(_IFLA_IFNAME, pair.name)
            + number_attribute(_IFLA_MTU, pair.mtu)
            + number_attribute(_IFLA_MASTER, pair.master)
            + nested_attribute(
                _IFLA_LINKINFO,
                text_attribute(_IFLA_INFO_KIND, "veth"),
                nested_attribute(_IFLA_INFO_DATA, nested_attribute(_VETH_INFO_PEER, peer)),
            )
        )
        self.change(f"add veth {pair.name}", _RTM_NEWLINK, body, NLM_F_CREATE | NLM_F_EXCL)

    def set_up(self, index: int) -> None:
        """Bring an interface up."""
        body = _LINK.pack(_AF_UNSPEC, 0, index, _IFF_UP, _IFF_UP)
        self.change(f"set link {index} up", _RTM_NEWLINK, body)

    def set_mtu(self, index: int, mtu: int) -> None:
        """Change the largest packet of an interface."""
        body = _LINK.pack(_AF_UNSPEC, 0, index, 0, 0) + number_attribute(_IFLA_MTU, mtu)
        self.change(f"set mtu {mtu} of link {index}", _RTM_NEWLINK, body)

    def set_master(self, index: int, master: int) -> None:
        """Make an interface a port of the bridge with the index `master`."""
        body = _LINK.pack(_AF_UNSPEC, 0, index, 0, 0) + number_attribute(_IFLA_MASTER, master)
        self.change(f"set master of link {index}", _RTM_NEWLINK, body)

    def set_port(self, name: str, *, is_isolated: bool, is_hairpin: bool) -> None:
        """Say what a bridge's port may do.

        An isolated one speaks to the bridge itself only, not to other such ports. One with
        hairpin gets frames back that it has sent, when the bridge finds that they are for it.
        """
        link = self.link(name)
        if link is None:
            raise NetlinkError(f"set bridge port {name}", errno.ENODEV)
        body = _LINK.pack(_AF_BRIDGE, 0, link.index, 0, 0) + nested_attribute(
            _IFLA_PROTINFO,
            attribute(_IFLA_BRPORT_MODE, bytes([is_hairpin])),
            attribute(_IFLA_BRPORT_ISOLATED, bytes([is_isolated])),
        )
        self.change(f"set bridge port {name}", _RTM_SETLINK, body)

    def delete_link(self, name: str) -> None:
        """Remove an interface, and its peer. Idempotent. Takes the kernel 10 to 30 ms."""
        body = _LINK_ANY + text_attribute(_IFLA_IFNAME, name)
        try:
            self.change(f"delete link {name}", _RTM_DELLINK, body)
        except NetlinkError as error:
            if error.errno != errno.ENODEV:
                raise

    def set_group(self, index: int, group: int) -> None:
        """Put an interface into a group, by which rules of a firewall may name it."""
        body = _LINK.pack(_AF_UNSPEC, 0, index, 0, 0) + number_attribute(_IFLA_GROUP, group)
        self.change(f"set group of link {index}", _RTM_NEWLINK, body)

    def set_alias(self, index: int, alias: str) -> None:
        """Leave a text on an interface, by which its maker is known again."""
        body = _LINK.pack(_AF_UNSPEC, 0, index, 0, 0) + attribute(_IFLA_IFALIAS, alias.encode())
        self.change(f"set alias of link {index}", _RTM_NEWLINK, body)

    def add_address(self, index: int, address: Interface) -> None:
        """Give an interface an address and, with it, the route to its subnet. Idempotent."""
        self.change(
            f"add address {address}",
            _RTM_NEWADDR,
            _address_body(index, address),
            NLM_F_CREATE | NLM_F_REPLACE,
        )

    def remove_address(self, index: int, address: Interface) -> None:
        """Take an address from an interface. Idempotent."""
        try:
            body = _address_body(index, address)
            self.change(f"remove address {address}", _RTM_DELADDR, body)
        except NetlinkError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise

    def set_default_route(self, version: Version, link: int, gateway: Address | None) -> None:
        """Send what no other route takes through an interface, to `gateway` or to everybody there.

        Takes the place of a default route that is there already.

        Raises:
            NetlinkError: `ENETUNREACH` when the interface does not reach the gateway.
        """
        self.change(
            f"set default route via {gateway or link}",
            _RTM_NEWROUTE,
            _default_route_body(version, link, gateway),
            NLM_F_CREATE | NLM_F_REPLACE,
        )

    def remove_default_route(self, version: Version, route: Route) -> None:
        """Remove a default route. Idempotent."""
        try:
            body = _default_route_body(version, route.link, route.gateway)
            self.change("remove default route", _RTM_DELROUTE, body)
        except NetlinkError as error:
            if error.errno != errno.ESRCH:
                raise


_LINK_ANY = _LINK.pack(_AF_UNSPEC, 0, 0, 0, 0)


def _default_route_body(version: Version, link: int, gateway: Address | None) -> bytes:
    scope = _RT_SCOPE_UNIVERSE if gateway or version == 6 else _RT_SCOPE_LINK
    family = _FAMILIES[version]
    body = _ROUTE.pack(family, 0, 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, scope, _RTN_UNICAST, 0)
    body += number_attribute(_RTA_OIF, link)
    return body + (attribute(_RTA_GATEWAY, gateway.packed) if gateway else b"")


def _address_body(index: int, address: Interface) -> bytes:
    network = address.network
    scope = _RT_SCOPE_HOST if address.ip.is_loopback else _RT_SCOPE_UNIVERSE
    body = _ADDRESS.pack(_FAMILIES[address.version], network.prefixlen, 0, scope, index)
    body += attribute(_IFA_LOCAL, address.packed) + attribute(_IFA_ADDRESS, address.packed)
    if address.version == 6:
        body += number_attribute(_IFA_FLAGS, _IFA_F_NODAD)
    elif network.prefixlen < 31:
        body += attribute(_IFA_BROADCAST, network.broadcast_address.packed)
    return body


def _link(body: bytes) -> Link:
    _, _, index, flags, _ = _LINK.unpack_from(body)
    values = attributes(body[_LINK.size :])
    info = attributes(values.get(_IFLA_LINKINFO, b""))
    return Link(
        index=index,
        name=_text(values.get(_IFLA_IFNAME, b"")),
        kind=_text(info.get(_IFLA_INFO_KIND, b"")),
        mac_address=values.get(_IFLA_ADDRESS, b"").hex(":"),
        mtu=_number(values.get(_IFLA_MTU)),
        master=_number(values.get(_IFLA_MASTER)),
        is_up=bool(flags & _IFF_UP),
        alias=_text(values.get(_IFLA_IFALIAS, b"")),
    )


def _mac_bytes(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")


def _number(value: bytes | None) -> int:
    return int.from_bytes(value, "little" if struct.pack("=H", 1)[0] else "big") if value else 0
