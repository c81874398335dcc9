"""The networks that every engine has, and the addresses of the default bridge."""

from __future__ import annotations

import logging
from dataclasses import replace
from ipaddress import ip_interface, ip_network

from naru.clock import Clock
from naru.db.networks import NetworkRow, NetworkRows, NetworkSettingsRow, SubnetRow
from naru.errors import InvalidInputError
from naru.ids import new_id
from naru.linux.netlink import RouteSocket
from naru.network.host_networks import host_networks
from naru.network.ipam import choose_subnet, parse_bip, parse_bip6, pools_of_engine
from naru.network.model import (
    DEFAULT_NETWORK,
    Interface,
    IpNetwork,
    NetworkConfig,
    Version,
)
from naru.network.options import (
    DEFAULT_MTU,
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

    With `keep_addresses` containers use the default bridge right now, so its subnets stay.

    Raises:
        InvalidInputError: an address of the bridge is none, or all address pools overlap
            something.
    """
    known = {row.name: row for row in rows.networks()}
    for name, driver in _WITHOUT_ADDRESSES:
        if name not in known:
            rows.put_network(
                NetworkRow(id=new_id(), name=name, driver=driver, created_ns=clock.now_ns())
            )
    before = known.get(DEFAULT_NETWORK)
    if config.bridge == NO_BRIDGE:
        if before is not None and not keep_addresses:
            rows.delete_network(before.id)
        return
    others = [
        ip_network(subnet.subnet)
        for row in known.values()
        if row.name != DEFAULT_NETWORK and not row.settings.is_configuration
        for subnet in row.subnets
    ]
    wanted = _wanted(config, before, clock, others, keep_addresses=keep_addresses)
    if before is not None:
        _remove_addresses(config.bridge, before, wanted)
    if wanted != before:
        rows.put_network(wanted)


def _wanted(
    config: NetworkConfig,
    before: NetworkRow | None,
    clock: Clock,
    others: list[IpNetwork],
    *,
    keep_addresses: bool,
) -> NetworkRow:
    ipv6 = config.ipv6
    if before and keep_addresses and before.settings.ipv6 != ipv6:
        ipv6 = before.settings.ipv6
        _log.warning("containers run on %s: IPv6 stays as it is until none does", config.bridge)
    versions: tuple[Version, ...] = (4, 6) if ipv6 else (4,)
    subnets = []
    for version in versions:
        address = _bridge_address(config, before, others, version, keep_addresses=keep_addresses)
        ip_range = config.fixed_cidr if version == 4 else config.fixed_cidr_v6
        subnets.append(
            SubnetRow(
                subnet=str(address.network),
                gateway=str(address.ip),
                ip_range=_range_within(ip_range, address.network) if ip_range else "",
            )
        )
    row = before or NetworkRow(
        id=new_id(), name=DEFAULT_NETWORK, driver="bridge", created_ns=clock.now_ns()
    )
    return replace(
        row,
        subnets=tuple(subnets),
        options=_bridge_options(config),
        settings=NetworkSettingsRow(ipv6=ipv6),
    )


def _bridge_options(config: NetworkConfig) -> dict[str, str]:
    # The option is for IPv4 only; defaults of both versions are the engine's.
    host_ips = [address for address in config.default_host_ips if ":" not in address]
    return {
        OPTION_DEFAULT: "true",
        OPTION_ICC: str(config.icc).lower(),
        OPTION_MASQUERADE: str(config.ip_masq).lower(),
        **({OPTION_HOST_IP: host_ips[0]} if host_ips else {}),
        OPTION_BRIDGE: config.bridge,
        OPTION_MTU: str(config.mtu or DEFAULT_MTU),
    }


def _range_within(text: str, subnet: IpNetwork) -> str:
    """Read --fixed-cidr: the part of the bridge's subnet that containers get addresses from."""
    try:
        found = ip_network(text)
    except ValueError as error:
        raise InvalidInputError(f"invalid CIDR address: {text}") from error
    inside = found.version == subnet.version and found[0] in subnet and found[-1] in subnet
    if not inside:
        raise InvalidInputError(f"fixed-cidr {text} is not inside the bridge's subnet {subnet}")
    return "" if found == subnet else str(found)


def _bridge_address(
    config: NetworkConfig,
    before: NetworkRow | None,
    others: list[IpNetwork],
    version: Version,
    *,
    keep_addresses: bool,
) -> Interface:
    """Choose: what running containers use, `bip`, what the bridge has, what it had, a pool."""
    stored = _stored_address(before, version) if before else None
    wanted = _configured_address(config, version)
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
    host = host_networks(config.bridge, version)
    on_bridge = [address for address in host.own if not address.ip.is_link_local]
    if on_bridge:
        return on_bridge[0]
    used = [*host.near, *others]
    if stored and not any(stored.network.overlaps(network) for network in used):
        return stored
    pools = pools_of_engine(config.address_pools, config.engine_id)
    subnet = choose_subnet(pools, used, version, shunned=host.far)
    return ip_interface(f"{subnet.network_address + 1}/{subnet.prefixlen}")


def _configured_address(config: NetworkConfig, version: Version) -> Interface | None:
    if version == 4:
        return parse_bip(config.bip) if config.bip else None
    if config.bip6:
        return parse_bip6(config.bip6)
    if config.fixed_cidr_v6:
        # As in Docker, the range is then the whole subnet.
        try:
            subnet = ip_network(config.fixed_cidr_v6)
        except ValueError as error:
            raise InvalidInputError(f"invalid fixed-cidr-v6: {config.fixed_cidr_v6}") from error
        return parse_bip6(f"{subnet.network_address + 1}/{subnet.prefixlen}")
    return None


def _stored_addresses(row: NetworkRow) -> list[Interface]:
    return [
        ip_interface(f"{subnet.gateway}/{subnet.subnet.partition('/')[2]}")
        for subnet in row.subnets
    ]


def _stored_address(row: NetworkRow, version: Version) -> Interface | None:
    return next((found for found in _stored_addresses(row) if found.version == version), None)


def _remove_addresses(bridge: str, before: NetworkRow, wanted: NetworkRow) -> None:
    """Take those addresses from the bridge that it shall not have any more."""
    gone = set(_stored_addresses(before)) - set(_stored_addresses(wanted))
    if not gone:
        return
    with RouteSocket() as kernel:
        if link := kernel.link(bridge):
            for address in gone:
                kernel.remove_address(link.index, address)
