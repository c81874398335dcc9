"""Subnets of new networks: asked for, or chosen."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

import pytest

from naru.errors import InvalidInputError
from naru.network.ipam import parse_address_pool, pools_of_engine, ula_pool
from naru.network.ipam_requests import checked_pools, joined
from naru.network.model import (
    DEFAULT_ADDRESS_POOLS,
    IpNetwork,
    NetworkRequest,
    Pool,
    PoolOverlapError,
)
from naru.network.pools import settle_pools

ULA = ula_pool("an engine")


def _settle(
    *pools: Pool, ipv4: bool = True, ipv6: bool = False, taken: tuple[IpNetwork, ...] = (),
    in_use: tuple[IpNetwork, ...] = (),
) -> list[tuple[str, str]]:  # fmt: skip
    request = NetworkRequest(name="n", pools=pools, ipv4=ipv4, ipv6=ipv6)
    found = settle_pools(
        request, taken=taken, in_use=in_use, defaults=[*DEFAULT_ADDRESS_POOLS, ULA]
    )
    return [(pool.subnet, pool.gateway) for pool in found]


def test_free_subnets_are_chosen_for_each_version() -> None:
    first = str(next(iter(ULA.base.subnets(new_prefix=64))))
    six = (first, first.replace("/64", "1"))
    assert _settle() == [("172.17.0.0/16", "172.17.0.1")]
    assert _settle(ipv6=True) == [("172.17.0.0/16", "172.17.0.1"), six]
    assert _settle(ipv4=False, ipv6=True) == [six]
    used = IPv4Network("172.17.3.0/24")
    assert _settle(in_use=(used,)) == _settle(taken=(used,)) == [("172.18.0.0/16", "172.18.0.1")]


def test_a_chosen_subnet_may_be_in_use_but_not_another_networks() -> None:
    pool = Pool(subnet="10.0.0.0/24", is_chosen=True)
    used = IPv4Network("10.0.0.0/8")
    assert _settle(pool, in_use=(used,)) == [("10.0.0.0/24", "10.0.0.1")]
    with pytest.raises(PoolOverlapError, match="Pool overlaps with other one on this address"):
        _settle(pool, taken=(used,))
    with pytest.raises(PoolOverlapError):
        _settle(pool, pool)


def test_the_gateway_is_the_first_address_that_is_free() -> None:
    ranged = Pool(subnet="10.0.0.0/16", ip_range="10.0.5.0/24", is_chosen=True)
    assert _settle(ranged) == [("10.0.0.0/16", "10.0.5.0")]
    reserved = Pool(subnet="10.0.0.0/16", auxiliary={"x": "10.0.0.1"}, is_chosen=True)
    assert _settle(reserved) == [("10.0.0.0/16", "10.0.0.2")]


def test_small_subnets_are_used_to_their_last_address() -> None:
    assert _settle(Pool(subnet="10.0.0.4/31", is_chosen=True)) == [("10.0.0.4/31", "10.0.0.4")]
    assert _settle(Pool(subnet="10.0.0.4/32", is_chosen=True)) == [("10.0.0.4/32", "10.0.0.4")]
    six = _settle(Pool(subnet="fd00::/127", is_chosen=True), ipv4=False, ipv6=True)
    assert six == [("fd00::/127", "fd00::1")]


def test_each_version_without_pools_of_ones_own_has_the_engines() -> None:
    four, six = map(parse_address_pool, ("base=10.7.0.0/16,size=24", "base=fd77::/16,size=64"))
    assert pools_of_engine((), "an engine") == [*DEFAULT_ADDRESS_POOLS, ULA]
    assert pools_of_engine((four,), "an engine") == [four, ULA]
    assert pools_of_engine((six,), "an engine") == [six, *DEFAULT_ADDRESS_POOLS]
    assert pools_of_engine((four, six), "an engine") == [four, six]


@pytest.mark.parametrize(
    ("pool", "problem"),
    [
        (Pool(subnet="10.0.0.0/24", gateway="10.0.0.0"), "allocate gateway (10.0.0.0): Address"),
        (Pool(subnet="10.0.0.0/24", gateway="10.0.0.255"), "allocate gateway (10.0.0.255): Add"),
        (Pool(subnet="fd00::/64", gateway="fd00::"), "failed to allocate gateway (fd00::): Addr"),
        (
            Pool(subnet="10.0.0.0/24", gateway="10.0.0.9", auxiliary={"a": "10.0.0.9"}),
            "failed to allocate secondary ip address (a:10.0.0.9): Address already in use",
        ),
        (
            Pool(subnet="10.0.0.0/24", auxiliary={"a": "10.0.0.9", "b": "10.0.0.9"}),
            "failed to allocate secondary ip address (b:10.0.0.9): Address already in use",
        ),
        (Pool(subnet="10.0.0.0/24", auxiliary={"a": "10.0.0.255"}), "(a:10.0.0.255): Address"),
        (
            Pool(subnet="10.0.0.0/24", ip_range="10.0.0.9/32", auxiliary={"a": "10.0.0.9"}),
            "failed to allocate gateway (): no available addresses in 10.0.0.9/32",
        ),
        (Pool(subnet="fd00::1/128"), "no available addresses in fd00::1/128"),
    ],
)
def test_an_address_is_one_thing_and_somebodys(pool: Pool, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        _settle(pool, ipv4=pool.version == 4, ipv6=pool.version == 6)
    assert problem in caught.value.message


def test_versions_that_are_off_have_no_subnet() -> None:
    with pytest.raises(InvalidInputError, match="IPv4 or IPv6 must be enabled"):
        _settle(ipv4=False)
    with pytest.raises(InvalidInputError, match="needs IPv6, which the network has not"):
        _settle(Pool(subnet="fd00::/64", is_chosen=True))


def test_no_subnet_left_is_said() -> None:
    with pytest.raises(InvalidInputError, match="all predefined address pools have been fully"):
        _settle(ipv6=True, in_use=(IPv6Network("fc00::/7"),))


def test_an_engines_own_range_is_always_the_same_and_no_other_engines() -> None:
    assert ula_pool("an engine") == ULA
    assert ula_pool("another") != ULA
    assert isinstance(ULA.base, IPv6Network)
    assert ULA.base.subnet_of(IPv6Network("fd00::/8"))
    assert (ULA.base.prefixlen, ULA.size) == (48, 64)


@pytest.mark.parametrize(
    ("pool", "problem"),
    [
        (Pool(subnet="x"), "invalid subnet x: invalid CIDR block notation"),
        (Pool(subnet="10.0.0.0"), "invalid subnet 10.0.0.0: invalid CIDR block notation"),
        (Pool(subnet="10.0.0.5/24"), "invalid subnet 10.0.0.5/24: it should be 10.0.0.0/24"),
        (
            Pool(subnet="10.0.0.0/24", ip_range="10.0.0.0/16"),
            "CIDR block is bigger than its parent subnet 10.0.0.0/24",
        ),
        (Pool(subnet="10.0.0.0/24", ip_range="10.0.1.0/25"), "doesn't contain ip-range"),
        (Pool(subnet="10.0.0.0/24", ip_range="10.0.0.5/25"), "it should be 10.0.0.0/25"),
        (Pool(subnet="10.0.0.0/24", ip_range="fd00::/64"), "parent subnet is an IPv4 block"),
        (Pool(subnet="10.0.0.0/24", gateway="x"), "invalid gateway x: invalid address"),
        (Pool(subnet="10.0.0.0/24", gateway="10.0.1.1"), "doesn't contain this address"),
        (Pool(subnet="fd00::/64", gateway="10.0.1.1"), "parent subnet is an IPv6 block"),
        (
            Pool(subnet="10.0.0.0/24", auxiliary={"a": "10.9.0.1"}),
            "invalid auxiliary address a: parent subnet 10.0.0.0/24 doesn't contain this address",
        ),
    ],
)
def test_what_is_no_subnet_is_refused_in_dockers_words(pool: Pool, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        checked_pools([pool])
    assert caught.value.message.startswith("invalid network config:\n")
    assert problem in caught.value.message


def test_all_problems_are_told_at_once() -> None:
    assert joined(["one"]) == "one"
    assert joined(["one", "two"]) == "* one\n* two"


def test_texts_come_back_in_their_shortest_form() -> None:
    [pool] = checked_pools([Pool(subnet="FD00:0::/64", gateway="fd00::0:1")])
    assert (pool.subnet, pool.gateway, pool.is_chosen) == ("fd00::/64", "fd00::1", True)
