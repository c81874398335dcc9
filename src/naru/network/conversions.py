"""Rows of the database into the package's values, and back: the only such place. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from naru.db.networks import EndpointRow, NetworkRow, PortRow
from naru.network.model import PROTOCOLS, Endpoint, Network, PublishedPort


def network(row: NetworkRow) -> Network:
    """Return the network that a row describes."""
    return Network(
        id=row.id,
        name=row.name,
        driver=row.driver,
        created_ns=row.created_ns,
        subnet=row.subnet,
        gateway=row.gateway,
        options=row.options,
        labels=row.labels,
    )


def endpoint(row: EndpointRow, network_name: str) -> Endpoint:
    """Return the endpoint that a row describes."""
    return Endpoint(
        network_id=row.network_id,
        network_name=network_name,
        endpoint_id=row.id,
        ipv4=row.ipv4,
        prefix_length=row.prefix_length,
        gateway=row.gateway,
        mac_address=row.mac_address,
    )


def endpoint_row(value: Endpoint, container_id: str, *, is_leaving: bool = False) -> EndpointRow:
    """Return the row of a container's endpoint."""
    return EndpointRow(
        id=value.endpoint_id,
        network_id=value.network_id,
        container_id=container_id,
        ipv4=value.ipv4,
        prefix_length=value.prefix_length,
        gateway=value.gateway,
        mac_address=value.mac_address,
        is_leaving=is_leaving,
    )


def published(rows: Iterable[PortRow], endpoint_id: str) -> tuple[PublishedPort, ...]:
    """Return the ports that lead to one endpoint."""
    return tuple(
        PublishedPort(row.container_port, protocol, row.host_ip, row.host_port)
        for row in rows
        if row.endpoint_id == endpoint_id
        for protocol in PROTOCOLS
        if protocol == row.protocol
    )


def port_rows(endpoint_id: str, ports: Iterable[PublishedPort]) -> list[PortRow]:
    """Return the rows of the ports that lead to one endpoint."""
    return [
        PortRow(endpoint_id, port.protocol, port.host_ip, port.host_port, port.container_port)
        for port in ports
    ]
