"""Which subnets a network gets: those that were asked for, or free ones. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address, ip_network

from naru.errors import InvalidInputError
from naru.network.ipam import assignable, choose_subnet, overlap
from naru.network.model import (
    VERSIONS,
    AddressPool,
    IpNetwork,
    NetworkRequest,
    Pool,
    PoolOverlapError,
)

_IN_USE = "Address already in use"


def settle_pools(
    request: NetworkRequest,
    *,
    taken: Iterable[IpNetwork],
    in_use: Iterable[IpNetwork],
    defaults: Sequence[AddressPool],
    shunned: Iterable[IpNetwork] = (),
) -> tuple[Pool, ...]:
    """Return the subnets of a new network, IPv4 first, each with its gateway.

    `taken` are the subnets of other networks; `in_use` is what else is on a wire of the host, and
    `shunned` what routers lead to. A chosen subnet may be one of these two: the user knows.

    Raises:
        InvalidInputError: no version is wanted, or a subnet of one that is not; an address is
            wanted twice, or nobody's; none of `defaults` is free.
        PoolOverlapError: a chosen subnet overlaps another network's, in Docker's words.
    """
    wanted = {4: request.ipv4, 6: request.ipv6}
    if not any(wanted.values()):
        raise InvalidInputError("IPv4 or IPv6 must be enabled")
    others, used, far = list(taken), list(in_use), list(shunned)
    found: list[Pool] = []
    for version in VERSIONS:
        chosen = [pool for pool in request.pools if pool.version == version]
        if not wanted[version]:
            if chosen:
                raise InvalidInputError(
                    f"subnet {chosen[0].subnet} needs IPv{version}, which the network has not",
                    hint=f"enable it with --ipv{version}",
                )
            continue
        if not chosen:
            subnet = choose_subnet(defaults, [*others, *used], version, shunned=far)
            chosen = [Pool(subnet=str(subnet))]
        for pool in chosen:
            if any(overlap(pool.network, other) for other in others):
                raise PoolOverlapError(
                    "invalid pool request: Pool overlaps with other one on this address space"
                )
            others.append(pool.network)
            found.append(_with_gateway(pool))
    return tuple(found)


def _with_gateway(pool: Pool) -> Pool:
    """Give a pool without a gateway the first free address of its range.

    Raises:
        InvalidInputError: there is none, or an address of the pool cannot be what it shall be.
    """
    first, last = assignable(pool.network)
    taken = {int(ip_address(pool.gateway))} if pool.gateway else set()
    if any(not first <= number <= last for number in taken):
        raise InvalidInputError(f"failed to allocate gateway ({pool.gateway}): {_IN_USE}")
    for name, text in pool.auxiliary.items():
        number = int(ip_address(text))
        if number in taken or not first <= number <= last:
            raise InvalidInputError(
                f"failed to allocate secondary ip address ({name}:{text}): {_IN_USE}"
            )
        taken.add(number)
    if pool.gateway:
        return pool
    if pool.ip_range:
        area = ip_network(pool.ip_range)
        first = max(first, int(area.network_address))
        last = min(last, int(area.broadcast_address))
    gateway = first
    while gateway in taken:
        gateway += 1
    if gateway > last:
        raise InvalidInputError(
            f"failed to allocate gateway (): no available addresses in {pool.ip_range or pool.subnet}"
        )
    text = str(pool.network[gateway - int(pool.network.network_address)])
    return replace(pool, gateway=text, shows_gateway=not pool.is_chosen)
