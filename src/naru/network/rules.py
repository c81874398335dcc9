"""What our nft table says: one fixed text, which looks everything up in sets and maps. Pure.

The *structure* (chains, rules, empty sets) is the same for every engine, whatever its networks;
it is loaded when it is not there. Networks and containers are *elements*, added and deleted one
by one, so that a start costs the same with one container or with a thousand, and a network made
or removed disturbs no packet of another.

| set | says |
|---|---|
| `bridges` | interfaces of ours |
| `neighbours` | whether containers on one bridge reach each other |
| `linked` | who may reach a port of a neighbour all the same |
| `internal` | bridges with no way in or out |
| `home4`, `home6` | which subnet belongs to which bridge |
| `masquerade4`, `masquerade6` | subnets that hide behind the host's address |
| `source4`, `source6` | subnets that hide behind one certain address of the host |
| `open4`, `open6` | ports of containers that are reached at their own address |
| `routed`, `unprotected`, `trusted` | bridges for which that, or more, is so |
| `published…` | ports of any local address that lead into a container; `…_on`: of one address |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FAMILY = "inet"
Value = tuple[str, ...]

_STRUCTURE = """\
table inet {table} {{
	set bridges {{
		type ifname
	}}
	map neighbours {{
		type ifname . ifname : verdict
	}}
	set linked {{
		type ipv4_addr . ipv4_addr . inet_proto . inet_service
	}}
	set internal {{
		type ifname
	}}
	set home4 {{
		type ipv4_addr . ifname
		flags interval
	}}
	set home6 {{
		type ipv6_addr . ifname
		flags interval
	}}
	set masquerade4 {{
		type ipv4_addr
		flags interval
	}}
	set masquerade6 {{
		type ipv6_addr
		flags interval
	}}
	map source4 {{
		type ipv4_addr : ipv4_addr
		flags interval
	}}
	map source6 {{
		type ipv6_addr : ipv6_addr
		flags interval
	}}
	set open4 {{
		type ipv4_addr . inet_proto . inet_service
	}}
	set open6 {{
		type ipv6_addr . inet_proto . inet_service
	}}
	set routed {{
		type ifname . nf_proto
	}}
	set unprotected {{
		type ifname . nf_proto
	}}
	set trusted {{
		type ifname . ifname
	}}
	map published {{
		type inet_proto . inet_service : ipv4_addr . inet_service
	}}
	map published_on {{
		type inet_proto . ipv4_addr . inet_service : ipv4_addr . inet_service
	}}
	map published6 {{
		type inet_proto . inet_service : ipv6_addr . inet_service
	}}
	map published6_on {{
		type inet_proto . ipv6_addr . inet_service : ipv6_addr . inet_service
	}}
	chain guard {{
		type filter hook prerouting priority raw; policy accept;
		ip daddr 127.0.0.0/8 iifname @bridges drop
	}}
	chain published_ports {{
		dnat ip to meta l4proto . ip daddr . th dport map @published_on
		dnat ip6 to meta l4proto . ip6 daddr . th dport map @published6_on
		fib daddr type != local return
		meta nfproto ipv4 dnat ip to meta l4proto . th dport map @published
		meta nfproto ipv6 dnat ip6 to meta l4proto . th dport map @published6
	}}
	chain prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		jump published_ports
	}}
	chain output {{
		type nat hook output priority -100; policy accept;
		jump published_ports
	}}
	chain postrouting {{
		type nat hook postrouting priority srcnat; policy accept;
		ip saddr 127.0.0.0/8 oifname @bridges masquerade
		ip6 saddr ::1 oifname @bridges masquerade
		ct status dnat ip saddr . oifname @home4 masquerade
		ct status dnat ip6 saddr . oifname @home6 masquerade
		ip saddr . oifname @home4 return
		ip6 saddr . oifname @home6 return
		snat ip to ip saddr map @source4
		snat ip6 to ip6 saddr map @source6
		ip saddr @masquerade4 masquerade
		ip6 saddr @masquerade6 masquerade
	}}
	chain forward {{
		type filter hook forward priority filter; policy accept;
		oifname @bridges ct state established,related accept
		iifname @bridges ip saddr . ip daddr . meta l4proto . th dport @linked accept
		iifname . oifname vmap @neighbours
		iifname @internal drop
		oifname != @bridges accept
		oifname @internal drop
		ct status dnat accept
		oifname . meta nfproto @unprotected accept
		oifname . meta nfproto @routed jump directly
		iifname . oifname @trusted jump directly
		drop
	}}
	chain directly {{
		ip daddr . meta l4proto . th dport @open4 accept
		ip6 daddr . meta l4proto . th dport @open6 accept
		meta l4proto {{ icmp, ipv6-icmp }} accept
	}}
}}
"""


@dataclass(frozen=True, slots=True, order=True)
class Element:
    """A member of a set, or an entry of a map; `value` is empty for a set."""

    place: str
    key: Value
    value: Value = ()

    def __str__(self) -> str:
        """Print it as nft writes it."""
        return f"{self.key_text} : {' . '.join(self.value)}" if self.value else self.key_text

    @property
    def key_text(self) -> str:
        """Its key as nft writes it, by which it is deleted."""
        return " . ".join(self.key)


def interface(name: str) -> str:
    """Return the part of an element that names an interface."""
    return f'"{name}"'


def structure(table: str) -> str:
    """Return the whole table without elements."""
    return _STRUCTURE.format(table=table)


def replacement(table: str, elements: Iterable[Element]) -> str:
    """Return one transaction that puts the table in place of any that was there before.

    Packets meet the old table or the new one, never neither.
    """
    return (
        f"add table {FAMILY} {table}\n"
        f"delete table {FAMILY} {table}\n"
        f"{structure(table)}"
        f"{additions(table, elements)}"
    )


def additions(table: str, elements: Iterable[Element]) -> str:
    """Return commands that add elements. Adding one that is there is harmless to nft."""
    return "".join(
        f"add element {FAMILY} {table} {element.place} {{ {element} }}\n"
        for element in sorted(elements)
    )


def removals(table: str, elements: Iterable[Element]) -> str:
    """Return commands that remove elements, whether they are there or not.

    nft fails on the removal of what is absent, so each is added first: the transaction then
    succeeds from either state. An element of that key but another value makes it fail.
    """
    ordered = sorted(elements)
    return additions(table, ordered) + "".join(
        f"delete element {FAMILY} {table} {element.place} {{ {element.key_text} }}\n"
        for element in ordered
    )


def elements_in(objects: Sequence[Mapping[str, Any]]) -> set[Element]:
    """Return the elements of a table that was listed as JSON."""
    found = set()
    for entry in objects:
        for kind in ("set", "map"):
            definition = entry.get(kind)
            if not isinstance(definition, dict):
                continue
            names = _interface_positions(definition["type"])
            for item in definition.get("elem", ()):
                key, value = item if kind == "map" else (item, None)
                found.add(
                    Element(
                        definition["name"],
                        _parts(key, names),
                        () if value is None else _parts(value, frozenset()),
                    )
                )
    return found


def _interface_positions(kind: str | list[str]) -> frozenset[int]:
    kinds = [kind] if isinstance(kind, str) else kind
    return frozenset(number for number, name in enumerate(kinds) if name == "ifname")


def _parts(value: Any, names: frozenset[int]) -> Value:
    is_joined = isinstance(value, dict) and "concat" in value
    members = value["concat"] if is_joined else [value]
    return tuple(
        interface(str(member)) if number in names else _part(member)
        for number, member in enumerate(members)
    )


def _part(member: Any) -> str:
    match member:
        case {"prefix": {"addr": address, "len": length}}:
            return f"{address}/{length}"
        case dict():
            return str(next(iter(member)))
    return str(member)
