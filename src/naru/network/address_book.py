"""Who has which address, for all networks of one engine. Safe for many threads.

Memory only: it is filled from the rows at start, and the rows are written by `networks`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network

from naru.errors import ConflictError, InvalidInputError
from naru.network.ipam import Leases
from naru.network.model import Network


class AddressBook:
    """The leases of every network that has addresses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._leases: dict[str, Leases] = {}

    def open(self, network: Network, taken: Iterable[str]) -> None:
        """Begin with a network's subnet and the addresses that are taken already.

        Taken addresses of another subnet, which the network had before, do not count.
        """
        leases = Leases(
            f"{network.name} ({network.id})",
            IPv4Network(network.subnet),
            reserved=[IPv4Address(network.gateway)],
        )
        for address in taken:
            try:
                leases.take(IPv4Address(address))
            except (InvalidInputError, ConflictError):
                continue
        with self._lock:
            self._leases[network.id] = leases

    def take(self, network: Network, asked_for: str) -> IPv4Address | None:
        """Take an address, the one asked for or any; None when the network has none.

        Raises:
            InvalidInputError: what is asked for is no address of the network.
            ConflictError: it is taken.
            FaultError: all are taken.
        """
        with self._lock:
            leases = self._leases.get(network.id)
            if leases is None:
                return None
            if not asked_for:
                return leases.take_any()
            try:
                address = IPv4Address(asked_for)
            except ValueError as error:
                raise InvalidInputError(f"invalid IPv4 address: {asked_for}") from error
            leases.take(address)
            return address

    def give_back(self, network_id: str, address: str) -> None:
        """Make an address free. Idempotent; of an unknown network, nothing."""
        if not address:
            return
        with self._lock:
            if leases := self._leases.get(network_id):
                leases.give_back(IPv4Address(address))
