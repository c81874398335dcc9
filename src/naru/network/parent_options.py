"""Options of networks on an interface of the host, read into values and checked. Pure.

Spec: Docker 28, drivers macvlan and ipvlan, for the options and the texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from naru.errors import InvalidInputError
from naru.network.model import Network
from naru.network.options import check_other_driver

PARENT = "parent"
_MODE = {"macvlan": "macvlan_mode", "ipvlan": "ipvlan_mode"}
_FLAG = "ipvlan_flag"
_MODES = {
    "macvlan": ("bridge", "private", "vepa", "passthru"),
    "ipvlan": ("l2", "l3", "l3s"),
}
_FLAGS = ("bridge", "private", "vepa")
_DUMMY = {"macvlan": "dm-", "ipvlan": "di-"}
_VLAN = re.compile(r"([A-Za-z0-9_.-]{1,12})\.([0-9]{1,4})")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_LAST_VLAN = 4094


@dataclass(frozen=True, slots=True)
class ParentSettings:
    """What a network on an interface is like. One without a parent of the host has a dummy."""

    parent: str
    mode: str
    flag: str
    mtu: int
    is_dummy: bool


def parent_settings(network: Network) -> ParentSettings:
    """Read the options of a network of driver `macvlan` or `ipvlan`.

    Raises:
        InvalidInputError: one is unknown, or has a value that it cannot have.
    """
    driver, options = network.driver, network.options
    mode_key = _MODE[driver]
    known = {PARENT, mode_key, *((_FLAG,) if driver == "ipvlan" else ())}
    for key in {PARENT, _FLAG, *_MODE.values()} - known:
        if key in options:
            raise InvalidInputError(f"unknown {driver} option {key}")
    mtu = check_other_driver(options, driver)
    default = _MODES[driver][0]
    mode = options.get(mode_key) or default
    if mode not in _MODES[driver]:
        raise InvalidInputError(
            f"requested {driver} mode '{mode}' is not valid, '{default}' mode is the {driver} "
            "driver default"
        )
    flag = options.get(_FLAG) or "bridge"
    if flag not in _FLAGS:
        raise InvalidInputError(
            f"requested ipvlan flag '{flag}' is not valid, 'bridge' is the ipvlan driver default"
        )
    parent = "" if network.internal else options.get(PARENT, "")
    if parent == "lo":
        raise InvalidInputError(f"loopback interface is not a valid {driver} parent link")
    if parent and (not _NAME.fullmatch(parent) or parent in (".", "..")):
        raise InvalidInputError(f"invalid parent interface {parent}")
    name = parent or f"{_DUMMY[driver]}{network.id[:12]}"
    return ParentSettings(name, mode, flag, mtu, is_dummy=not parent)


def vlan_of(name: str) -> tuple[str, int]:
    """Return interface and number of a VLAN that is named as in `eth0.10`.

    Raises:
        InvalidInputError: it is not named so, in Docker's words.
    """
    match = _VLAN.fullmatch(name)
    if match is None:
        raise InvalidInputError(
            f"invalid subinterface vlan name {name}, example formatting is eth0.10"
        )
    number = int(match[2])
    if not 0 < number <= _LAST_VLAN:
        raise InvalidInputError(f"vlan id must be between 1-4094, received: {number}")
    return match[1], number


def leads_nowhere(network: Network) -> bool:
    """Say whether containers have no way out through the network."""
    if network.internal:
        return True
    return network.driver in _MODE and parent_settings(network).is_dummy


def routes_by_device(network: Network) -> bool:
    """Say whether containers send everything through their interface, to no gateway."""
    is_ipvlan = network.driver == "ipvlan"
    return is_ipvlan and not leads_nowhere(network) and parent_settings(network).mode != "l2"
