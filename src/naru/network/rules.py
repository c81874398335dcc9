"""What our nft table says: pure text from networks and published ports.

The *structure* (chains, rules, empty maps) depends on the networks alone and is loaded when
they change. What belongs to a container is *elements* of two maps, added and deleted one by
one, so that a start costs the same with one container or with a thousand.

`published` maps (protocol, port) of any local address to a container's (address, port);
`published_on` does so for one address of the host.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network

from naru.network.model import ANY_ADDRESS, Network, PublishedPort
from naru.network.plan import OPTION_BRIDGE, OPTION_ICC, OPTION_MASQUERADE

FAMILY = "inet"
_TARGET = "ipv4_addr . inet_service"
_ON_ANY = "dnat ip to meta l4proto . th dport map @published"
_ON_ONE = "dnat ip to meta l4proto . ip daddr . th dport map @published_on"

_STRUCTURE = """\
table inet {table} {{
	map published {{
		type inet_proto . inet_service : {target}
	}}
	map published_on {{
		type inet_proto . ipv4_addr . inet_service : {target}
	}}
	chain guard {{
		type filter hook prerouting priority raw; policy accept;
{guard}
	}}
	chain prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		{on_one}
		meta nfproto ipv4 fib daddr type local {on_any}
	}}
	chain output {{
		type nat hook output priority -100; policy accept;
		{on_one}
		meta nfproto ipv4 fib daddr type local {on_any}
	}}
	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
{postrouting}
	}}
	chain forward {{
		type filter hook forward priority filter; policy accept;
{forward}
	}}
}}
"""


@dataclass(frozen=True, slots=True)
class BridgeRules:
    """What the table must know of one bridge."""

    bridge: str
    subnet: IPv4Network
    masquerade: bool
    inter_container: bool


@dataclass(frozen=True, slots=True, order=True)
class Forward:
    """One element: a port of the host that leads to `address` and its `container_port`."""

    protocol: str
    host_ip: str
    host_port: int
    address: str
    container_port: int

    @property
    def map_name(self) -> str:
        """The map that it belongs in."""
        return "published" if self.host_ip == ANY_ADDRESS else "published_on"

    @property
    def key(self) -> str:
        """Its key there."""
        if self.host_ip == ANY_ADDRESS:
            return f"{self.protocol} . {self.host_port}"
        return f"{self.protocol} . {self.host_ip} . {self.host_port}"

    @property
    def element(self) -> str:
        """Key and value, as nft writes them."""
        return f"{self.key} : {self.address} . {self.container_port}"


def forwards_of(address: IPv4Address, ports: Iterable[PublishedPort]) -> list[Forward]:
    """Return the elements of a container with `address`."""
    return [
        Forward(port.protocol, port.host_ip, port.host_port, str(address), port.container_port)
        for port in ports
    ]


def bridge_rules(networks: Iterable[Network]) -> list[BridgeRules]:
    """Return what the table must know of those networks that have a bridge."""
    return [
        BridgeRules(
            bridge=network.options[OPTION_BRIDGE],
            subnet=IPv4Network(network.subnet),
            masquerade=network.options[OPTION_MASQUERADE] == "true",
            inter_container=network.options[OPTION_ICC] == "true",
        )
        for network in networks
        if network.driver == "bridge"
    ]


def structure(table: str, bridges: Iterable[BridgeRules]) -> str:
    """Return the whole table without elements; the order of the bridges does not matter."""
    ordered = sorted(bridges, key=lambda rules: rules.bridge)
    return _STRUCTURE.format(
        table=table,
        target=_TARGET,
        on_any=_ON_ANY,
        on_one=_ON_ONE,
        guard=_lines(_guard(rules) for rules in ordered),
        postrouting=_lines(_postrouting(rules) for rules in ordered),
        forward=_lines(_forward(rules) for rules in ordered),
    )


def replacement(table: str, structure_text: str, forwards: Iterable[Forward]) -> str:
    """Return one transaction that puts the table in place of any that was there before.

    Packets meet the old table or the new one, never neither.
    """
    return (
        f"add table {FAMILY} {table}\n"
        f"delete table {FAMILY} {table}\n"
        f"{structure_text}"
        f"{additions(table, forwards)}"
    )


def additions(table: str, forwards: Iterable[Forward]) -> str:
    """Return commands that add elements. Adding one that is there is harmless to nft."""
    return "".join(
        f"add element {FAMILY} {table} {forward.map_name} {{ {forward.element} }}\n"
        for forward in sorted(forwards)
    )


def removals(table: str, forwards: Iterable[Forward]) -> str:
    """Return commands that remove elements, whether they are there or not.

    nft fails on the removal of what is absent, so each is added first: the transaction then
    succeeds from either state. An element of that key but another value makes it fail.
    """
    ordered = sorted(forwards)
    return additions(table, ordered) + "".join(
        f"delete element {FAMILY} {table} {forward.map_name} {{ {forward.key} }}\n"
        for forward in ordered
    )


def elements_in(objects: Sequence[Mapping[str, object]]) -> set[Forward]:
    """Return the elements of a table that was listed as JSON."""
    found = set()
    for entry in objects:
        definition = entry.get("map")
        if not isinstance(definition, dict):
            continue
        for key, value in definition.get("elem", ()):
            protocol, *on, port = _joined(key)
            address, container_port = _joined(value)
            host_ip = str(on[0]) if on else ANY_ADDRESS
            found.add(Forward(str(protocol), host_ip, int(port), str(address), int(container_port)))
    return found


def _joined(value: Mapping[str, list[str | int]]) -> list[str | int]:
    return value["concat"]


def _guard(rules: BridgeRules) -> Sequence[str]:
    # route_localnet lets answers to 127.0.0.1 in; without this rule it would also let
    # containers speak to what listens on the host's loopback alone.
    return (f'iifname "{rules.bridge}" ip daddr 127.0.0.0/8 drop',)


def _postrouting(rules: BridgeRules) -> Sequence[str]:
    bridge, subnet = rules.bridge, rules.subnet
    lines = [
        f'oifname "{bridge}" ip saddr 127.0.0.0/8 masquerade',
        # A container that reaches a neighbour, or itself, through the host must get its answer
        # through the host, or the translation is not undone.
        f'oifname "{bridge}" ip saddr {subnet} ct status dnat masquerade',
    ]
    if rules.masquerade:
        lines.append(f'oifname != "{bridge}" ip saddr {subnet} masquerade')
    return lines


def _forward(rules: BridgeRules) -> Sequence[str]:
    bridge = rules.bridge
    neighbours = "accept" if rules.inter_container else "drop"
    return (
        f'oifname "{bridge}" ct state established,related accept',
        f'oifname "{bridge}" ct status dnat accept',
        f'iifname "{bridge}" oifname "{bridge}" {neighbours}',
        f'oifname "{bridge}" drop',
    )


def _lines(groups: Iterable[Sequence[str]]) -> str:
    return "\n".join(f"\t\t{line}" for group in groups for line in group)
