"""The networks that every engine has, and the address of the default bridge."""

from __future__ import annotations

import logging
from dataclasses import replace
from ipaddress import IPv4Interface, IPv4Network

from naru.clock import Clock
from naru.db.networks import NetworkRow, NetworkRows
from naru.ids import new_id
from naru.linux.netlink import RouteSocket
from naru.network.ipam import choose_subnet, parse_bip
from naru.network.model import DEFAULT_ADDRESS_POOLS, DEFAULT_NETWORK, NetworkConfig
from naru.network.plan import (
    OPTION_BRIDGE,
    OPTION_DEFAULT,
    OPTION_HOST_IP,
    OPTION_ICC,
    OPTION_MASQUERADE,
    OPTION_MTU,
)

_log = logging.getLogger(__name__)
_WITHOUT_ADDRESSES = (("host", "host"), ("none", "null"))
NO_BRIDGE = "none"


def write_default_networks(
    config: NetworkConfig, rows: NetworkRows, clock: Clock, *, keep_addresses: bool
) -> None:
    """Write the rows of bridge, host and none as the configuration wants them. Idempotent.

    With `keep_addresses` containers use the default bridge right now, so its subnet stays.

    Raises:
        InvalidInputError: `bip` is no address for a bridge.
        FaultError: all address pools overlap something.
    """
    known = {row.name: row for row in rows.networks()}
    for name, driver in _WITHOUT_ADDRESSES:
        if name not in known:
            rows.put_network(NetworkRow(new_id(), name, driver, clock.now_ns(), "", "", {}, {}))
    before = known.get(DEFAULT_NETWORK)
    if config.bridge == NO_BRIDGE:
        if before is not None and not keep_addresses:
            rows.delete_network(before.id)
        return
    address = _bridge_address(config, before, keep_addresses=keep_addresses)
    row = before or NetworkRow(new_id(), DEFAULT_NETWORK, "bridge", clock.now_ns(), "", "", {}, {})
    wanted = replace(
        row,
        subnet=str(address.network),
        gateway=str(address.ip),
        options=_bridge_options(config),
    )
    if before is not None and wanted.gateway != before.gateway:
        _remove_address(config.bridge, _stored_address(before))
    if wanted != before:
        rows.put_network(wanted)


def _bridge_options(config: NetworkConfig) -> dict[str, str]:
    return {
        OPTION_DEFAULT: "true",
        OPTION_ICC: str(config.icc).lower(),
        OPTION_MASQUERADE: str(config.ip_masq).lower(),
        OPTION_HOST_IP: config.default_host_ip,
        OPTION_BRIDGE: config.bridge,
        OPTION_MTU: str(config.mtu or 1500),
    }


def _bridge_address(
    config: NetworkConfig, before: NetworkRow | None, *, keep_addresses: bool
) -> IPv4Interface:
    """Choose: what running containers use, `bip`, what the bridge has, what it had, a pool."""
    stored = _stored_address(before) if before else None
    wanted = parse_bip(config.bip) if config.bip else None
    if stored and keep_addresses:
        if wanted not in (None, stored):
            _log.warning(
                "containers run on %s: the bridge keeps %s, and takes %s when none does",
                config.bridge,
                stored,
                wanted,
            )
        return stored
    if wanted:
        return wanted
    on_bridge, elsewhere = _host_networks(config.bridge)
    if on_bridge:
        return on_bridge[0]
    if stored and not any(stored.network.overlaps(network) for network in elsewhere):
        return stored
    subnet = choose_subnet(config.address_pools or DEFAULT_ADDRESS_POOLS, elsewhere)
    return IPv4Interface((subnet.network_address + 1, subnet.prefixlen))


def _stored_address(row: NetworkRow) -> IPv4Interface:
    return IPv4Interface(f"{row.gateway}/{IPv4Network(row.subnet).prefixlen}")


def _remove_address(bridge: str, address: IPv4Interface) -> None:
    with RouteSocket() as kernel:
        if link := kernel.link(bridge):
            kernel.remove_address(link.index, address)


def _host_networks(bridge: str) -> tuple[list[IPv4Interface], list[IPv4Network]]:
    """Return the bridge's own addresses, and all networks that other interfaces lead to."""
    with RouteSocket() as kernel:
        link = kernel.link(bridge)
        index = link.index if link else -1
        addresses, routes = kernel.addresses(), kernel.routes()
    own = [address for owner, address in addresses if owner == index]
    elsewhere = [address.network for owner, address in addresses if owner != index]
    elsewhere += [
        route.destination
        for route in routes
        if route.link != index and route.destination.prefixlen > 0
    ]
    return own, elsewhere
