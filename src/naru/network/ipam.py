"""Which addresses are free: pure arithmetic on subnets and sets.

`choose_subnet` finds a place for a network; `Leases` hands out one subnet's addresses. Nothing
here is remembered across restarts: the database is, and `Leases` is filled from it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from ipaddress import (
    IPv4Address,
    IPv4Interface,
    IPv6Interface,
    IPv6Network,
    ip_interface,
    ip_network,
)

from naru.errors import FaultError, ForbiddenError, InvalidInputError
from naru.network.model import (
    DEFAULT_ADDRESS_POOLS,
    Address,
    AddressPool,
    Interface,
    IpNetwork,
    Version,
)

# A /31 and a /32 have no room for a bridge and a container.
_LONGEST_PREFIX = 30
_LEAST_HOST_BITS = 2
_ULA_PREFIX = 0xFD << 120


def parse_bip(text: str) -> IPv4Interface:
    """Read `--bip`: the bridge's own address with its prefix length, `172.30.0.1/24`.

    Raises:
        InvalidInputError: it is no such address, or leaves no room for containers.
    """
    address = _parse_interface(text)
    if not isinstance(address, IPv4Interface):
        raise InvalidInputError(f"invalid CIDR address: {text}")
    network = address.network
    if "/" not in text or network.prefixlen > _LONGEST_PREFIX:
        raise InvalidInputError(f"invalid CIDR address: {text}: no room for containers")
    if address.ip in (network.network_address, network.broadcast_address):
        raise InvalidInputError(f"invalid CIDR address: {text}: not the address of a host")
    return address


def parse_bip6(text: str) -> IPv6Interface:
    """Read `--bip6`: the bridge's own IPv6 address with its prefix length, `fd12::1/64`.

    Raises:
        InvalidInputError: it is no such address, or leaves no room for containers.
    """
    address = _parse_interface(text)
    if not isinstance(address, IPv6Interface) or address.network.prefixlen > 126:
        raise InvalidInputError(f"invalid CIDR address: {text}")
    if address.ip == address.network.network_address:
        raise InvalidInputError(f"invalid CIDR address: {text}: not the address of a host")
    return address


def _parse_interface(text: str) -> Interface:
    try:
        return ip_interface(text)
    except ValueError as error:
        raise InvalidInputError(f"invalid CIDR address: {text}") from error


def parse_address_pool(text: str) -> AddressPool:
    """Read `--default-address-pool`: `base=10.9.0.0/16,size=24`, of either version.

    Raises:
        InvalidInputError: it is no such thing, or its subnets have no room for containers.
    """
    fields = dict(part.partition("=")[::2] for part in text.split(","))
    try:
        base, size = ip_network(fields["base"]), int(fields["size"])
    except (KeyError, ValueError) as error:
        raise InvalidInputError(
            f"invalid default address pool '{text}': expected base=CIDR,size=BITS"
        ) from error
    longest = base.max_prefixlen - _LEAST_HOST_BITS
    if not base.prefixlen <= size <= longest:
        raise InvalidInputError(
            f"invalid default address pool '{text}': "
            f"size must be from {base.prefixlen} to {longest}"
        )
    return AddressPool(base, size)


def choose_subnet(
    pools: Sequence[AddressPool],
    used: Iterable[IpNetwork],
    version: Version = 4,
    *,
    shunned: Iterable[IpNetwork] = (),
) -> IpNetwork:
    """Return the first subnet of the pools that overlaps nothing in use.

    One that overlaps what is `shunned` is taken where there is no other.

    Raises:
        InvalidInputError: there is none, in Docker's words and with its status.
    """
    taken = [network for network in used if network.version == version]
    better_not = [network for network in shunned if network.version == version]
    for avoided in ([*taken, *better_not], taken) if better_not else (taken,):
        for pool in pools:
            if pool.base.version == version and (found := _first_free(pool, avoided)):
                return found
    raise InvalidInputError(
        "all predefined address pools have been fully subnetted",
        hint="give the network a subnet, or the engine pools with --default-address-pool",
    )


def _first_free(pool: AddressPool, avoided: Sequence[IpNetwork]) -> IpNetwork | None:
    """Return the first subnet of a pool that overlaps none of `avoided`.

    What is in the way is stepped over as a whole: a pool of IPv6 has more subnets than can be
    looked at.
    """
    base = pool.base
    size = 1 << (base.max_prefixlen - pool.size)
    first, last = int(base.network_address), int(base.broadcast_address)
    start = first
    while start <= last:
        ends = [
            int(other.broadcast_address)
            for other in avoided
            if int(other.network_address) < start + size and int(other.broadcast_address) >= start
        ]
        if not ends:
            return type(base)((start, pool.size))
        start = first + ((max(ends) - first) // size + 1) * size
    return None


def pools_of_engine(configured: Iterable[AddressPool], engine_id: str) -> list[AddressPool]:
    """Return where an engine takes subnets from: what is configured, for each version by itself.

    Without any, those of IPv4 are Docker's, and those of IPv6 unique local ones.
    """
    pools = list(configured)
    versions = {pool.base.version for pool in pools}
    if 4 not in versions:
        pools += DEFAULT_ADDRESS_POOLS
    if 6 not in versions:
        pools.append(ula_pool(engine_id))
    return pools


def assignable(subnet: IpNetwork) -> tuple[int, int]:
    """Return the first and the last address that somebody on a subnet can have, as numbers.

    The first of all is the subnet's own, or that of any router; the last of IPv4's is everybody's.
    A /31 has two addresses and a /32 one, all of them for somebody.

    Spec: RFC 3021, RFC 4291 §2.6.1.
    """
    first, last = int(subnet.network_address), int(subnet.broadcast_address)
    if subnet.version == 6:
        return first + 1, last
    return (first + 1, last - 1) if last - first > 1 else (first, last)


def overlap(one: IpNetwork, other: IpNetwork) -> bool:
    """Say whether two subnets share an address."""
    return one.version == other.version and one.overlaps(other)


def ula_pool(engine_id: str) -> AddressPool:
    """Return the engine's own range of unique local IPv6 addresses: the same at every start.

    Spec: RFC 4193, with the 40 bits of the global id derived from the engine's id, as in Docker.
    """
    digest = hashlib.sha256(engine_id.encode()).digest()
    base = _ULA_PREFIX | int.from_bytes(digest[:5], "big") << 80
    return AddressPool(IPv6Network((base, 48)), 64)


def mac_for(address: Address) -> str:
    """Return the hardware address that belongs to an address: `02:42:` and its last four bytes.

    Of an IPv6 address they are a digest, for the last four are hardly ever all of it.
    """
    packed = address.packed
    if not isinstance(address, IPv4Address):
        packed = hashlib.sha256(packed).digest()[:4]
    return (b"\x02\x42" + packed).hex(":")


class Leases:
    """The addresses of one subnet: the lowest free one first. Not for two threads at once."""

    def __init__(
        self,
        name: str,
        subnet: IpNetwork,
        reserved: Iterable[Address] = (),
        ip_range: IpNetwork | None = None,
    ) -> None:
        """`name` is the network's in error messages; `reserved` is never handed out.

        Addresses that nobody asked for come from `ip_range`, if there is one.
        """
        self._name = name
        self._subnet = subnet
        self._first, self._last = assignable(subnet)
        self._reserved = frozenset(int(address) for address in reserved)
        self._taken: set[int] = set()
        self._low, self._high = self._first, self._last
        if ip_range is not None:
            self._low = max(self._first, int(ip_range.network_address))
            self._high = min(self._last, int(ip_range.broadcast_address))
        self._lowest = self._low

    @property
    def subnet(self) -> IpNetwork:
        """The subnet that the addresses are of."""
        return self._subnet

    def take_any(self) -> Address:
        """Take the lowest free address.

        Raises:
            FaultError: all are taken, in Docker's words.
        """
        candidate = self._lowest
        while candidate in self._taken or candidate in self._reserved:
            candidate += 1
        if candidate > self._high:
            raise FaultError(
                f"no available IPv{self._subnet.version} addresses on this network's address "
                f"pools: {self._name}"
            )
        self._taken.add(candidate)
        self._lowest = candidate + 1
        return self._address(candidate)

    def take(self, address: Address) -> None:
        """Take one address.

        Raises:
            InvalidInputError: it is not in the subnet, or is not a host's.
            ForbiddenError: it is taken, in Docker's words.
        """
        number = int(address)
        if not self._first <= number <= self._last or address.version != self._subnet.version:
            raise InvalidInputError(
                f"Invalid address {address}: It does not belong to any of this network's subnets"
            )
        if number in self._taken or number in self._reserved:
            raise ForbiddenError("Address already in use")
        self._taken.add(number)

    def give_back(self, address: Address) -> None:
        """Make an address free. Idempotent."""
        number = int(address)
        if number in self._taken:
            self._taken.discard(number)
            if self._low <= number:
                self._lowest = min(self._lowest, number)

    def taken(self) -> frozenset[Address]:
        """Return what is taken, without what is reserved."""
        return frozenset(self._address(number) for number in self._taken)

    def _address(self, number: int) -> Address:
        return self._subnet.network_address + (number - int(self._subnet.network_address))
