"""A pair of interfaces of the host's, each of which receives what the other sends.

What the host's own firewall has let in passes here once; see `ruleset`. What is sent needs no
neighbour, and is what came, hardware addresses apart.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface

from naru.errors import FaultError
from naru.linux.netlink import Link, RouteSocket, VethPair
from naru.linux.sysctl import set_sysctl
from naru.network.interfaces import existing

_MAC_ADDRESS = "02:00:00:00:00:01"
# Datagrams come here in one piece, however many they were on their way.
_MTU = 65535
# The kernel looks for a route back, but at interfaces with an address alone.
_INLET_ADDRESS = IPv4Interface("127.255.255.254/32")
# Makes the route to the address that copies are sent to.
_OUTLET_ADDRESS = IPv6Interface("fe80::1/64")
_LONGEST_BRIDGE = 11


@dataclass(frozen=True, slots=True)
class Turnstile:
    """Its two names: what is sent through `outlet` comes in at `inlet`."""

    outlet: str
    inlet: str


def turnstile_of(bridge: str) -> Turnstile:
    """Return the turnstile of the engine whose default bridge that is. Pure."""
    stem = bridge
    if len(bridge) > _LONGEST_BRIDGE:
        stem = f"nt{hashlib.sha256(bridge.encode()).hexdigest()[:8]}"
    return Turnstile(f"{stem}-out", f"{stem}-in")


def provide(turnstile: Turnstile, owner: str) -> None:
    """Make the pair, or mend it. Idempotent.

    Raises:
        FaultError: the kernel refused, or somebody else's interface has such a name.
    """
    pair = VethPair(
        name=turnstile.outlet,
        peer_name=turnstile.inlet,
        mac_address=_MAC_ADDRESS,
        peer_mac_address=_MAC_ADDRESS,
        mtu=_MTU,
        asks_neighbours=False,
    )
    with RouteSocket() as kernel:
        names = (turnstile.outlet, turnstile.inlet)
        there = [link for name in names if (link := kernel.link(name)) is not None]
        for link in there:
            if not _is_ours(link, owner):
                raise FaultError(
                    f"interface {link.name} is there already, and not the engine's",
                    hint="rename it, or name another bridge",
                )
        if len(there) < len(names):
            for link in there:
                kernel.delete_link(link.name)
            kernel.add_veth(pair)
        outlet, inlet = existing(kernel, turnstile.outlet), existing(kernel, turnstile.inlet)
        for link in (outlet, inlet):
            kernel.set_alias(link.index, owner)
        _set_sysctls(turnstile)
        kernel.add_address(inlet.index, _INLET_ADDRESS)
        if _has_ipv6(turnstile.outlet):
            kernel.add_address(outlet.index, _OUTLET_ADDRESS)
        for link in (outlet, inlet):
            kernel.set_up(link.index)


def remove(turnstile: Turnstile, owner: str) -> None:
    """Remove the pair. Idempotent; what is somebody else's stays."""
    with RouteSocket() as kernel:
        link = kernel.link(turnstile.outlet)
        if link is not None and _is_ours(link, owner):
            kernel.delete_link(link.name)


def _is_ours(link: Link, owner: str) -> bool:
    # Between its making and its mark an engine may be killed.
    return link.kind == "veth" and link.alias in ("", owner)


def _has_ipv6(name: str) -> bool:
    return os.path.exists(f"/proc/sys/net/ipv6/conf/{name}")


def _set_sysctls(turnstile: Turnstile) -> None:
    # Who sends is reached by another interface: a strict look for the way back would fail.
    set_sysctl(f"net/ipv4/conf/{turnstile.inlet}/rp_filter", "2")
    for name in (turnstile.outlet, turnstile.inlet):
        if _has_ipv6(name):
            set_sysctl(f"net/ipv6/conf/{name}/disable_ipv6", "0")
            # Neither has anything to say of its own.
            set_sysctl(f"net/ipv6/conf/{name}/addr_gen_mode", "1")
            set_sysctl(f"net/ipv6/conf/{name}/accept_ra", "0")
