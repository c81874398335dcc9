"""Who has which address, for all networks of one engine. Safe for many threads.

Memory only: it is filled from the rows at start, and the rows are written by `sandboxes`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from naru.errors import FaultError, ForbiddenError, InvalidInputError
from naru.network.addresses import read_address
from naru.network.ipam import Leases
from naru.network.model import Address, Network, Pool, Version


@dataclass(frozen=True, slots=True)
class Lease:
    """An address, and the subnet that it is of."""

    address: Address
    pool: Pool


class AddressBook:
    """The leases of every network that has addresses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[str, list[tuple[Pool, Leases]]] = {}

    def open(self, network: Network, taken: Iterable[str] = ()) -> None:
        """Begin with a network's subnets and the addresses that are taken already.

        Taken addresses of another subnet, which the network had before, do not count.
        """
        found = [(pool, _leases(network, pool)) for pool in network.pools]
        for text in taken:
            address = ip_address(text)
            for _, leases in found:
                try:
                    leases.take(address)
                except (InvalidInputError, ForbiddenError):
                    continue
        with self._lock:
            self._leases[network.id] = found

    def close(self, network_id: str) -> None:
        """Forget a network. Idempotent."""
        with self._lock:
            self._leases.pop(network_id, None)

    def take(self, network: Network, version: Version, asked_for: str = "") -> Lease | None:
        """Take an address, the one asked for or any; None when the network has none.

        Raises:
            InvalidInputError: what is asked for is no address of the network.
            ForbiddenError: it is taken.
            FaultError: all are taken.
        """
        with self._lock:
            found = [
                (pool, leases)
                for pool, leases in self._leases.get(network.id, ())
                if pool.version == version
            ]
            if not found:
                return None
            if asked_for:
                return _take_one(found, _parse(asked_for, version))
            return _take_any(found)

    def give_back(self, network_id: str, address: str) -> None:
        """Make an address free. Idempotent; of an unknown network, nothing."""
        if not address:
            return
        value = ip_address(address)
        with self._lock:
            for pool, leases in self._leases.get(network_id, ()):
                if value in pool.network:
                    leases.give_back(value)


def _leases(network: Network, pool: Pool) -> Leases:
    reserved = [ip_address(text) for text in (pool.gateway, *pool.auxiliary.values()) if text]
    return Leases(
        f"{network.name} ({network.id})",
        pool.network,
        reserved,
        ip_network(pool.ip_range) if pool.ip_range else None,
    )


def _parse(text: str, version: Version) -> Address:
    try:
        address = read_address(text)
    except ValueError as error:
        raise InvalidInputError(f"invalid IPv{version} address: {text}") from error
    if address.version != version:
        raise InvalidInputError(f"invalid IPv{version} address: {text}")
    return address


def _take_one(found: list[tuple[Pool, Leases]], address: Address) -> Lease:
    pool, leases = next((pair for pair in found if address in pair[1].subnet), found[0])
    leases.take(address)
    return Lease(address, pool)


def _take_any(found: list[tuple[Pool, Leases]]) -> Lease:
    for number, (pool, leases) in enumerate(found, start=1):
        try:
            return Lease(leases.take_any(), pool)
        except FaultError:
            if number == len(found):
                raise
    raise RuntimeError("a network has no subnet")
