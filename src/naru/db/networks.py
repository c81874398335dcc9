"""Rows of networks, endpoints, published ports and the firewall table. Owner: `network`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from naru.db.database import Database


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """A network; `subnet` and `gateway` are empty where the driver has no addresses."""

    id: str
    name: str
    driver: str
    created_ns: int
    subnet: str
    gateway: str
    options: dict[str, str]
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """A container's place in a network; `ipv4` is empty without an address.

    One that `is_leaving` belongs to no container any more, but its address is not free yet.
    """

    id: str
    network_id: str
    container_id: str
    ipv4: str
    prefix_length: int
    gateway: str
    mac_address: str
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

    def networks(self) -> list[NetworkRow]:
        """Return all networks, oldest first."""
        rows = self._database.rows("SELECT * FROM networks ORDER BY created_ns, name")
        return [_network(row) for row in rows]

    def put_network(self, row: NetworkRow) -> None:
        """Write a network, new or changed."""
        self._database.execute(
            "INSERT INTO networks VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"
            " name = excluded.name, driver = excluded.driver, subnet = excluded.subnet,"
            " gateway = excluded.gateway, options = excluded.options, labels = excluded.labels",
            (
                row.id,
                row.name,
                row.driver,
                row.created_ns,
                row.subnet,
                row.gateway,
                _text(row.options),
                _text(row.labels),
            ),
        )

    def delete_network(self, network_id: str) -> None:
        """Forget a network that has no endpoints. Idempotent."""
        self._database.execute("DELETE FROM networks WHERE id = ?", (network_id,))

    def endpoints(self) -> list[EndpointRow]:
        """Return all endpoints, those that are leaving too."""
        return [_endpoint(row) for row in self._database.rows("SELECT * FROM endpoints")]

    def add_endpoint(self, row: EndpointRow, ports: Iterable[PortRow]) -> None:
        """Write an endpoint and its ports in one transaction."""
        with self._database.write():
            self._database.execute(
                "INSERT INTO endpoints VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    row.id,
                    row.network_id,
                    row.container_id,
                    row.ipv4 or None,
                    row.prefix_length,
                    row.gateway,
                    row.mac_address,
                    int(row.is_leaving),
                ),
            )
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

    def mark_leaving(self, endpoint_ids: Iterable[str]) -> None:
        """Note that endpoints are going, and forget their ports, in one transaction."""
        with self._database.write():
            for endpoint_id in endpoint_ids:
                self._database.execute(
                    "UPDATE endpoints SET is_leaving = 1 WHERE id = ?", (endpoint_id,)
                )
                self._database.execute(
                    "DELETE FROM published_ports WHERE endpoint_id = ?", (endpoint_id,)
                )

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

    def firewall(self, table: str) -> tuple[str, str] | None:
        """Return the structure last asked for and how the kernel listed it then, or None."""
        row = self._database.row("SELECT * FROM firewall WHERE table_name = ?", (table,))
        return (row["wanted"], row["listed"]) if row else None

    def put_firewall(self, table: str, wanted: str, listed: str) -> None:
        """Note the structure of an nft table and how the kernel lists it."""
        self._database.execute(
            "INSERT OR REPLACE INTO firewall VALUES (?, ?, ?)", (table, wanted, listed)
        )


def _network(row: sqlite3.Row) -> NetworkRow:
    return NetworkRow(
        id=row["id"],
        name=row["name"],
        driver=row["driver"],
        created_ns=row["created_ns"],
        subnet=row["subnet"],
        gateway=row["gateway"],
        options=msgspec.json.decode(row["options"], type=dict[str, str]),
        labels=msgspec.json.decode(row["labels"], type=dict[str, str]),
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
        is_leaving=bool(row["is_leaving"]),
    )


def _text(value: dict[str, str]) -> str:
    return msgspec.json.encode(value).decode()
