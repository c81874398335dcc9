"""Which addresses are free: pure arithmetic on subnets and sets.

`choose_subnet` finds a place for a network; `Leases` hands out one subnet's addresses. Nothing
here is remembered across restarts: the database is, and `Leases` is filled from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from naru.errors import ConflictError, FaultError, InvalidInputError
from naru.network.model import AddressPool

# A /31 and a /32 have no room for a bridge and a container.
_LONGEST_PREFIX = 30


def parse_bip(text: str) -> IPv4Interface:
    """Read `--bip`: the bridge's own address with its prefix length, `172.30.0.1/24`.

    Raises:
        InvalidInputError: it is no such address, or leaves no room for containers.
    """
    try:
        address = IPv4Interface(text)
    except ValueError as error:
        raise InvalidInputError(f"invalid CIDR address: {text}") from error
    network = address.network
    if "/" not in text or network.prefixlen > _LONGEST_PREFIX:
        raise InvalidInputError(f"invalid CIDR address: {text}: no room for containers")
    if address.ip in (network.network_address, network.broadcast_address):
        raise InvalidInputError(f"invalid CIDR address: {text}: not the address of a host")
    return address


def choose_subnet(pools: Sequence[AddressPool], used: Iterable[IPv4Network]) -> IPv4Network:
    """Return the first subnet of the pools that overlaps nothing in use.

    Raises:
        FaultError: there is none, in Docker's words.
    """
    taken = list(used)
    for pool in pools:
        for subnet in pool.base.subnets(new_prefix=pool.size):
            if not any(subnet.overlaps(other) for other in taken):
                return subnet
    raise FaultError(
        "could not find an available, non-overlapping IPv4 address pool among the defaults to "
        "assign to the network",
        hint="give the bridge an address with --bip, or pools with --default-address-pool",
    )


def mac_for(address: IPv4Address) -> str:
    """Return the hardware address that belongs to an IPv4 address: `02:42:` and its bytes."""
    return (b"\x02\x42" + address.packed).hex(":")


class Leases:
    """The addresses of one subnet: the lowest free one first. Not for two threads at once."""

    def __init__(self, name: str, subnet: IPv4Network, reserved: Iterable[IPv4Address]) -> None:
        """`name` is the network's in error messages; `reserved` is never handed out."""
        self._name = name
        self._subnet = subnet
        self._first = int(subnet.network_address) + 1
        self._last = int(subnet.broadcast_address) - 1
        self._reserved = frozenset(int(address) for address in reserved)
        self._taken: set[int] = set()
        self._lowest = self._first

    def take_any(self) -> IPv4Address:
        """Take the lowest free address.

        Raises:
            FaultError: all are taken, in Docker's words.
        """
        candidate = self._lowest
        while candidate in self._taken or candidate in self._reserved:
            candidate += 1
        if candidate > self._last:
            raise FaultError(
                f"no available IPv4 addresses on this network's address pools: {self._name}"
            )
        self._taken.add(candidate)
        self._lowest = candidate + 1
        return IPv4Address(candidate)

    def take(self, address: IPv4Address) -> None:
        """Take one address.

        Raises:
            InvalidInputError: it is not in the subnet, or is not a host's.
            ConflictError: it is taken, in Docker's words.
        """
        number = int(address)
        if not self._first <= number <= self._last:
            raise InvalidInputError(f"Invalid address {address}: It does not belong to any of "
                                    f"this network's subnets")  # fmt: skip
        if number in self._taken or number in self._reserved:
            raise ConflictError("Address already in use")
        self._taken.add(number)

    def give_back(self, address: IPv4Address) -> None:
        """Make an address free. Idempotent."""
        number = int(address)
        if number in self._taken:
            self._taken.discard(number)
            self._lowest = min(self._lowest, number)

    def taken(self) -> frozenset[IPv4Address]:
        """Return what is taken, without what is reserved."""
        return frozenset(IPv4Address(number) for number in self._taken)
