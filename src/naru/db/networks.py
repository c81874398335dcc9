"""Rows of networks, subnets, endpoints, published ports and the firewall table. Owner: `network`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import msgspec

from naru.db.database import Database


@dataclass(frozen=True, kw_only=True)
class NetworkSettingsRow:
    """What else is kept of a network, and never looked for by SQL."""

    ipv4: bool = True
    ipv6: bool = False
    internal: bool = False
    attachable: bool = False
    ipam_driver: str = "default"
    ipam_options: dict[str, str] | None = None
    borrows_interface: bool = False
    is_configuration: bool = False
    configured_by: str = ""


@dataclass(frozen=True, kw_only=True)
class SubnetRow:
    """One subnet of a network."""

    subnet: str
    gateway: str = ""
    ip_range: str = ""
    auxiliary: dict[str, str] = field(default_factory=dict)
    is_chosen: bool = False
    shows_gateway: bool = True


@dataclass(frozen=True, kw_only=True)
class NetworkRow:
    """A network; without `subnets` where the driver has no addresses.

    One that `is_leaving` is half made or half removed.
    """

    id: str
    name: str
    driver: str
    created_ns: int
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    settings: NetworkSettingsRow = NetworkSettingsRow()
    subnets: tuple[SubnetRow, ...] = ()
    is_leaving: bool = False


@dataclass(frozen=True, kw_only=True)
class EndpointDetailsRow:
    """What else is kept of an endpoint, and never looked for by SQL."""

    container_name: str = ""
    hostname: str = ""
    interface: str = "eth0"
    ipv6_prefix_length: int = 0
    ipv6_gateway: str = ""
    link_local: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()
    driver_options: dict[str, str] = field(default_factory=dict)
    gateway_priority: int = 0
    routes_by_device: bool = False
    reaches: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class EndpointRow:
    """A container's place in a network; an address that it lacks is empty.

    One that `is_leaving` belongs to no container any more, but its addresses are not free yet.
    """

    id: str
    network_id: str
    container_id: str
    ipv4: str
    prefix_length: int
    gateway: str
    mac_address: str
    ipv6: str = ""
    details: EndpointDetailsRow = EndpointDetailsRow()
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class PortRow:
    """A port of the host that leads to an endpoint."""

    endpoint_id: str
    protocol: str
    host_ip: str
    host_port: int
    container_port: int


class NetworkRows:
    """The tables of the network package."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractContextManager[None]:
        """Make what the block writes one transaction."""
        return self._database.write()

    def sync(self) -> None:
        """Make what is written survive a power cut. Blocks on the disk."""
        self._database.sync()

    def networks(self) -> list[NetworkRow]:
        """Return all networks, oldest first."""
        subnets: dict[str, list[SubnetRow]] = {}
        for row in self._database.rows("SELECT * FROM subnets ORDER BY network_id, position"):
            subnets.setdefault(row["network_id"], []).append(_subnet(row))
        rows = self._database.rows("SELECT * FROM networks ORDER BY created_ns, name")
        return [_network(row, subnets.get(row["id"], ())) for row in rows]

    def put_network(self, row: NetworkRow) -> None:
        """Write a network, new or changed, with its subnets, in one transaction."""
        with self._database.write():
            self._database.execute(
                "INSERT INTO networks (id, name, driver, created_ns, options, labels, settings,"
                " is_leaving) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
                " name = excluded.name, driver = excluded.driver, options = excluded.options,"
                " labels = excluded.labels, settings = excluded.settings,"
                " is_leaving = excluded.is_leaving",
                (
                    row.id,
                    row.name,
                    row.driver,
                    row.created_ns,
                    _text(row.options),
                    _text(row.labels),
                    _text(row.settings),
                    int(row.is_leaving),
                ),
            )
            self._database.execute("DELETE FROM subnets WHERE network_id = ?", (row.id,))
            for position, subnet in enumerate(row.subnets):
                self._database.execute(
                    "INSERT INTO subnets VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        row.id,
                        position,
                        subnet.subnet,
                        subnet.gateway,
                        subnet.ip_range,
                        _text(subnet.auxiliary),
                        int(subnet.is_chosen),
                        int(subnet.shows_gateway),
                    ),
                )

    def mark_network(self, network_id: str, *, is_leaving: bool) -> None:
        """Note that a network is on its way out, or that it is whole."""
        self._database.execute(
            "UPDATE networks SET is_leaving = ? WHERE id = ?", (int(is_leaving), network_id)
        )

    def delete_network(self, network_id: str) -> None:
        """Forget a network and endpoints that were leaving it. Idempotent."""
        with self._database.write():
            self._database.execute(
                "DELETE FROM endpoints WHERE network_id = ? AND is_leaving = 1", (network_id,)
            )
            self._database.execute("DELETE FROM networks WHERE id = ?", (network_id,))

    def endpoints(self) -> list[EndpointRow]:
        """Return all endpoints, those that are leaving too, in the order of their making."""
        return [_endpoint(row) for row in self._database.rows("SELECT * FROM endpoints")]

    def add_endpoints(self, rows: Iterable[EndpointRow], ports: Iterable[PortRow]) -> None:
        """Write endpoints and ports in one transaction."""
        with self._database.write():
            for row in rows:
                self._database.execute(
                    "INSERT INTO endpoints (id, network_id, container_id, ipv4, prefix_length,"
                    " gateway, mac_address, is_leaving, ipv6, details)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        row.id,
                        row.network_id,
                        row.container_id,
                        row.ipv4 or None,
                        row.prefix_length,
                        row.gateway,
                        row.mac_address,
                        int(row.is_leaving),
                        row.ipv6 or None,
                        _text(row.details),
                    ),
                )
            self._add_ports(ports)

    def put_details(self, endpoint_id: str, details: EndpointDetailsRow) -> None:
        """Write what else is kept of an endpoint."""
        self._database.execute(
            "UPDATE endpoints SET details = ? WHERE id = ?", (_text(details), endpoint_id)
        )

    def replace_ports(self, endpoint_ids: Iterable[str], ports: Iterable[PortRow]) -> None:
        """Write which ports lead to these endpoints, in one transaction."""
        with self._database.write():
            for endpoint_id in endpoint_ids:
                self._delete_ports(endpoint_id)
            self._add_ports(ports)

    def mark_leaving(self, endpoint_ids: Iterable[str]) -> None:
        """Note that endpoints are going, and forget their ports, in one transaction."""
        with self._database.write():
            for endpoint_id in endpoint_ids:
                self._database.execute(
                    "UPDATE endpoints SET is_leaving = 1 WHERE id = ?", (endpoint_id,)
                )
                self._delete_ports(endpoint_id)

    def delete_endpoints(self, endpoint_ids: Iterable[str]) -> None:
        """Forget endpoints. Idempotent."""
        with self._database.write():
            for endpoint_id in endpoint_ids:
                self._database.execute("DELETE FROM endpoints WHERE id = ?", (endpoint_id,))

    def ports(self) -> list[PortRow]:
        """Return all published ports."""
        return [
            PortRow(
                row["endpoint_id"],
                row["protocol"],
                row["host_ip"],
                row["host_port"],
                row["container_port"],
            )
            for row in self._database.rows("SELECT * FROM published_ports")
        ]

    def _add_ports(self, ports: Iterable[PortRow]) -> None:
        for port in ports:
            self._database.execute(
                "INSERT INTO published_ports VALUES (?, ?, ?, ?, ?)",
                (
                    port.endpoint_id,
                    port.protocol,
                    port.host_ip,
                    port.host_port,
                    port.container_port,
                ),
            )

    def _delete_ports(self, endpoint_id: str) -> None:
        self._database.execute("DELETE FROM published_ports WHERE endpoint_id = ?", (endpoint_id,))

    def firewall(self, table: str) -> tuple[str, str] | None:
        """Return the structure last asked for and how the kernel listed it then, or None."""
        row = self._database.row("SELECT * FROM firewall WHERE table_name = ?", (table,))
        return (row["wanted"], row["listed"]) if row else None

    def put_firewall(self, table: str, wanted: str, listed: str) -> None:
        """Note the structure of an nft table and how the kernel lists it."""
        self._database.execute(
            "INSERT OR REPLACE INTO firewall VALUES (?, ?, ?)", (table, wanted, listed)
        )


def _network(row: sqlite3.Row, subnets: Iterable[SubnetRow]) -> NetworkRow:
    return NetworkRow(
        id=row["id"],
        name=row["name"],
        driver=row["driver"],
        created_ns=row["created_ns"],
        options=_map(row["options"]),
        labels=_map(row["labels"]),
        settings=msgspec.json.decode(row["settings"], type=NetworkSettingsRow),
        subnets=tuple(subnets),
        is_leaving=bool(row["is_leaving"]),
    )


def _subnet(row: sqlite3.Row) -> SubnetRow:
    return SubnetRow(
        subnet=row["subnet"],
        gateway=row["gateway"],
        ip_range=row["ip_range"],
        auxiliary=_map(row["auxiliary"]),
        is_chosen=bool(row["is_chosen"]),
        shows_gateway=bool(row["shows_gateway"]),
    )


def _endpoint(row: sqlite3.Row) -> EndpointRow:
    return EndpointRow(
        id=row["id"],
        network_id=row["network_id"],
        container_id=row["container_id"],
        ipv4=row["ipv4"] or "",
        prefix_length=row["prefix_length"],
        gateway=row["gateway"],
        mac_address=row["mac_address"],
        ipv6=row["ipv6"] or "",
        details=msgspec.json.decode(row["details"], type=EndpointDetailsRow),
        is_leaving=bool(row["is_leaving"]),
    )


def _map(text: str) -> dict[str, str]:
    return msgspec.json.decode(text, type=dict[str, str])


def _text(value: Mapping[str, str] | NetworkSettingsRow | EndpointDetailsRow) -> str:
    return msgspec.json.encode(value).decode()
