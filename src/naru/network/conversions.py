"""Rows of the database into the package's values, and back: the only such place. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from naru.db.networks import (
    EndpointDetailsRow,
    EndpointRow,
    NetworkRow,
    NetworkSettingsRow,
    PortRow,
    SubnetRow,
)
from naru.network.model import PROTOCOLS, Endpoint, Network, Pool, PublishedPort


def network(row: NetworkRow) -> Network:
    """Return the network that a row describes."""
    settings = row.settings
    return Network(
        id=row.id,
        name=row.name,
        driver=row.driver,
        created_ns=row.created_ns,
        pools=tuple(_pool(subnet) for subnet in row.subnets),
        ipv4=settings.ipv4,
        ipv6=settings.ipv6,
        internal=settings.internal,
        attachable=settings.attachable,
        options=row.options,
        labels=row.labels,
        ipam_driver=settings.ipam_driver,
        ipam_options=settings.ipam_options,
        is_leaving=row.is_leaving,
        borrows_interface=settings.borrows_interface,
        is_configuration=settings.is_configuration,
        configured_by=settings.configured_by,
    )


def network_row(value: Network) -> NetworkRow:
    """Return the row of a network."""
    return NetworkRow(
        id=value.id,
        name=value.name,
        driver=value.driver,
        created_ns=value.created_ns,
        options=dict(value.options),
        labels=dict(value.labels),
        settings=NetworkSettingsRow(
            ipv4=value.ipv4,
            ipv6=value.ipv6,
            internal=value.internal,
            attachable=value.attachable,
            ipam_driver=value.ipam_driver,
            ipam_options=None if value.ipam_options is None else dict(value.ipam_options),
            borrows_interface=value.borrows_interface,
            is_configuration=value.is_configuration,
            configured_by=value.configured_by,
        ),
        subnets=tuple(_subnet_row(pool) for pool in value.pools),
        is_leaving=value.is_leaving,
    )


def _pool(row: SubnetRow) -> Pool:
    return Pool(
        subnet=row.subnet,
        gateway=row.gateway,
        ip_range=row.ip_range,
        auxiliary=row.auxiliary,
        is_chosen=row.is_chosen,
        shows_gateway=row.shows_gateway,
    )


def _subnet_row(pool: Pool) -> SubnetRow:
    return SubnetRow(
        subnet=pool.subnet,
        gateway=pool.gateway,
        ip_range=pool.ip_range,
        auxiliary=dict(pool.auxiliary),
        is_chosen=pool.is_chosen,
        shows_gateway=pool.shows_gateway,
    )


def endpoint(row: EndpointRow, network_name: str) -> Endpoint:
    """Return the endpoint that a row describes."""
    details = row.details
    return Endpoint(
        endpoint_id=row.id,
        network_id=row.network_id,
        network_name=network_name,
        container_id=row.container_id,
        container_name=details.container_name,
        hostname=details.hostname,
        interface=details.interface,
        mac_address=row.mac_address,
        ipv4=row.ipv4,
        prefix_length=row.prefix_length,
        gateway=row.gateway,
        ipv6=row.ipv6,
        ipv6_prefix_length=details.ipv6_prefix_length,
        ipv6_gateway=details.ipv6_gateway,
        link_local=details.link_local,
        aliases=details.aliases,
        links=details.links,
        driver_options=details.driver_options,
        gateway_priority=details.gateway_priority,
        routes_by_device=details.routes_by_device,
        reaches=details.reaches,
    )


def endpoint_row(value: Endpoint) -> EndpointRow:
    """Return the row of an endpoint."""
    return EndpointRow(
        id=value.endpoint_id,
        network_id=value.network_id,
        container_id=value.container_id,
        ipv4=value.ipv4,
        prefix_length=value.prefix_length,
        gateway=value.gateway,
        mac_address=value.mac_address,
        ipv6=value.ipv6,
        details=endpoint_details(value),
    )


def endpoint_details(value: Endpoint) -> EndpointDetailsRow:
    """Return the part of an endpoint's row that may change."""
    return EndpointDetailsRow(
        container_name=value.container_name,
        hostname=value.hostname,
        interface=value.interface,
        ipv6_prefix_length=value.ipv6_prefix_length,
        ipv6_gateway=value.ipv6_gateway,
        link_local=value.link_local,
        aliases=value.aliases,
        links=value.links,
        driver_options=dict(value.driver_options),
        gateway_priority=value.gateway_priority,
        routes_by_device=value.routes_by_device,
        reaches=value.reaches,
    )


def published(rows: Iterable[PortRow], endpoint_ids: Iterable[str]) -> tuple[PublishedPort, ...]:
    """Return the ports that lead to these endpoints."""
    wanted = set(endpoint_ids)
    return tuple(
        PublishedPort(row.container_port, protocol, row.host_ip, row.host_port)
        for row in rows
        if row.endpoint_id in wanted
        for protocol in PROTOCOLS
        if protocol == row.protocol
    )


def port_row(endpoint_id: str, port: PublishedPort) -> PortRow:
    """Return the row of a port that leads to an endpoint."""
    return PortRow(endpoint_id, port.protocol, port.host_ip, port.host_port, port.container_port)
