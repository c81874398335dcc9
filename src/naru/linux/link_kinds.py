"""What kinds of interfaces want to know when they are made, for `netlink.NewLink.data`. Pure.

Spec: linux/if_link.h.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from naru.linux.netlink_socket import attribute, number_attribute

_IFLA_VLAN_ID = 1
_IFLA_MACVLAN_MODE = 1
_IFLA_IPVLAN_MODE, _IFLA_IPVLAN_FLAGS = 1, 2

MACVLAN_MODES: Mapping[str, int] = {"private": 1, "vepa": 2, "bridge": 4, "passthru": 8}
IPVLAN_MODES: Mapping[str, int] = {"l2": 0, "l3": 1, "l3s": 2}
IPVLAN_FLAGS: Mapping[str, int] = {"bridge": 0, "private": 1, "vepa": 2}


def vlan_data(number: int) -> bytes:
    """Return what a VLAN's interface is told: its number."""
    return attribute(_IFLA_VLAN_ID, struct.pack("=H", number))


def macvlan_data(mode: str) -> bytes:
    """Return what a macvlan is told: how it treats its siblings."""
    return number_attribute(_IFLA_MACVLAN_MODE, MACVLAN_MODES[mode])


def ipvlan_data(mode: str, flag: str) -> bytes:
    """Return what an ipvlan is told: on which layer it works, and how it treats its siblings."""
    return attribute(_IFLA_IPVLAN_MODE, struct.pack("=H", IPVLAN_MODES[mode])) + attribute(
        _IFLA_IPVLAN_FLAGS, struct.pack("=H", IPVLAN_FLAGS[flag])
    )
