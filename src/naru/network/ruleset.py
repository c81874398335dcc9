"""What our nft tables say: one fixed text, which looks everything up in sets and maps. Pure.

The *structure* (chains, rules, empty sets) is the same for every engine, whatever its networks;
it is loaded when it is not there. What differs is said by elements, see `rules`.

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
| `asked…` | those of them that the host's own firewall is asked about |
| `relayed6`, `relayed6_on` | ports that the engine itself takes to a container, see `relays` |

Chain `admin` holds rules of the administrator's, and comes before ours. What comes to a relayed port
is not forwarded, so it is shown to that chain where the host takes it in.

Two things are done by sending a copy of a packet through an interface, for which nft has a word in
the families `ip` and `ip6` alone. So there is a small table of our name in these, too, and a
packet's priority, which means nothing on its way in, is the signal to it.

- Where the host's own firewall is asked, what comes for a published port is left to it, as if it
  were for a program of the host's. What comes out at the end of chain `input` has been let in. It
  passes the *turnstile*, a pair of interfaces that leads back to the host, and what comes in there
  is translated. The kernel then knows the connection, and all that follows is translated at once.
- Answers to the host's `::1` come in through a bridge, where the kernel takes nothing for `::1`.
  So they come in through loopback once more.

Spec: nft(8); ADR 5, ADR 33.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

from naru.network.rules import FAMILY, Element, additions
from naru.network.turnstile import Turnstile

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
{asked_sets}{relayed_sets}	chain admin {{
{admin_rules}	}}
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
{entrances}	}}
	chain homeward {{
		type filter hook prerouting priority -95; policy accept;
		iifname @bridges ip6 daddr ::1 ct direction reply ct original ip6 saddr ::1 meta priority set {signal}
	}}
{relays}{turnstile}	chain output {{
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
{admin_jumps}		oifname @bridges ct state established,related accept
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
_OPEN_ENTRANCES = """\
		jump published_ports
"""
# What containers send each other is no business of the host's: see ADR 33.
_ASKING_ENTRANCES = """\
		iifname "{inlet}" jump published_ports
		iifname @bridges jump published_ports
"""
_ASKED_SETS = """\
	set asked {
		type inet_proto . inet_service
	}
	set asked_on {
		type inet_proto . ipv4_addr . inet_service
	}
	set asked6 {
		type inet_proto . inet_service
	}
	set asked6_on {
		type inet_proto . ipv6_addr . inet_service
	}
"""
_RELAYED_SETS = """\
	set relayed6 {
		type inet_proto . inet_service
	}
	set relayed6_on {
		type inet_proto . ipv6_addr . inet_service
	}
"""
# The host's own clients are nobody's to keep out, as with ports that are translated.
_RELAYS = """\
	chain relays {{
		type filter hook input priority filter; policy accept;
		iifname "lo" accept
		meta l4proto . ip6 daddr . th dport @relayed6_on goto relayed
		meta nfproto ipv6 meta l4proto . th dport @relayed6 goto relayed
	}}
	chain relayed {{
		iifname @internal drop
{admin}	}}
"""
# After all that hosts have in this hook: their last is translation of sources, at 100.
_TURNSTILE = """\
	chain turnstile {{
		type filter hook input priority 199; policy accept;
		iifname {{ "lo", "{inlet}" }} accept
		iifname @bridges accept
		meta l4proto . ip daddr . th dport @asked_on meta priority set {signal}
		meta l4proto . ip6 daddr . th dport @asked6_on meta priority set {signal}
		fib daddr type != local accept
		meta nfproto ipv4 meta l4proto . th dport @asked meta priority set {signal}
		meta nfproto ipv6 meta l4proto . th dport @asked6 meta priority set {signal}
	}}
"""
_PASSAGE = """\
	chain turnstile {{
		type filter hook input priority 200; policy accept;
		meta priority {signal} dup to {address} device "{outlet}"
		meta priority {signal} drop
	}}
"""
_HOMEWARD = """\
	chain homeward {{
		type filter hook prerouting priority -94; policy accept;
		iifname != "lo" meta priority {signal} goto home
	}}
	chain home {{
		meta l4proto tcp tcp sport set ct original proto-dst
		meta l4proto udp udp sport set ct original proto-dst
		meta l4proto sctp sctp sport set ct original proto-dst
		ip6 saddr set ct original ip6 daddr
		dup to ::1 device "lo"
		drop
	}}
"""
_ADMIN_FOR_RELAYS = """\
		jump admin
"""
_ADMIN_JUMPS = """\
		iifname @bridges jump admin
		iifname != @bridges oifname @bridges jump admin
"""


@dataclass(frozen=True, slots=True)
class Ruleset:
    """The tables of one engine; with a `turnstile` the host's own firewall is asked.

    With `relays` there are ports that the engine itself takes to a container. `admin_rules` are
    lines of nft's language, for chain `admin`.
    """

    table: str
    turnstile: Turnstile | None = None
    relays: bool = False
    admin_rules: str = ""

    def structure(self) -> str:
        """Return the table of family inet, without elements."""
        signal = _signal(self.table)
        inlet = self.turnstile.inlet if self.turnstile else ""
        asks, has_admin = bool(self.turnstile), bool(self.admin_rules.strip())
        return _STRUCTURE.format(
            table=self.table,
            signal=signal,
            asked_sets=_ASKED_SETS if asks else "",
            relayed_sets=_RELAYED_SETS if self.relays else "",
            relays=_RELAYS.format(admin=_ADMIN_FOR_RELAYS if has_admin else "")
            if self.relays
            else "",
            entrances=_ASKING_ENTRANCES.format(inlet=inlet) if asks else _OPEN_ENTRANCES,
            turnstile=_TURNSTILE.format(inlet=inlet, signal=signal) if asks else "",
            admin_jumps=_ADMIN_JUMPS if has_admin else "",
            admin_rules=f"{self.admin_rules.rstrip()}\n" if has_admin else "",
        )

    def replacement(self, elements: Iterable[Element]) -> str:
        """Return one transaction that puts the table in place of any that was there before.

        Packets meet the old table or the new one, never neither.
        """
        structure = self.structure()
        return f"{_cleared(FAMILY, self.table)}{structure}{additions(self.table, elements)}"

    def copying(self, version: int) -> str:
        """Return one transaction that replaces the table that copies packets of a version.

        Where there is nothing to copy, it removes the table.
        """
        family, address = ("ip", "169.254.0.1") if version == 4 else ("ip6", "fe80::2")
        signal = _signal(self.table)
        chains = _HOMEWARD.format(signal=signal) if version == 6 else ""
        if self.turnstile is not None:
            outlet = self.turnstile.outlet
            chains += _PASSAGE.format(signal=signal, address=address, outlet=outlet)
        cleared = _cleared(family, self.table)
        return f"{cleared}table {family} {self.table} {{\n{chains}}}\n" if chains else cleared

    def removal(self) -> str:
        """Return commands that remove all tables, whether they are there or not."""
        return "".join(_cleared(family, self.table) for family in (FAMILY, "ip", "ip6"))


def _cleared(family: str, table: str) -> str:
    return f"add table {family} {table}\ndelete table {family} {table}\n"


def _signal(table: str) -> str:
    """Return the priority that means: this packet is for the tables of that name."""
    number = zlib.crc32(table.encode()) | 0x80000000
    return f"{number >> 16:x}:{number & 0xFFFF:x}"
