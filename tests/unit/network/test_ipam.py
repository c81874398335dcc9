"""Subnets and addresses."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Network

import pytest

from naru.errors import FaultError, ForbiddenError, InvalidInputError
from naru.network.ipam import Leases, choose_subnet, mac_for, parse_address_pool, parse_bip
from naru.network.model import DEFAULT_ADDRESS_POOLS, AddressPool


def _leases(subnet: str = "10.0.0.0/29") -> Leases:
    network = IPv4Network(subnet)
    return Leases("bridge (1)", network, [network.network_address + 1])


def test_the_first_pool_is_dockers() -> None:
    assert choose_subnet(DEFAULT_ADDRESS_POOLS, ()) == IPv4Network("172.17.0.0/16")


def test_a_pool_that_overlaps_anything_is_passed_over() -> None:
    used = [IPv4Network("172.17.5.0/24"), IPv4Network("172.18.0.0/15"), IPv4Network("10.0.0.0/8")]
    assert choose_subnet(DEFAULT_ADDRESS_POOLS, used) == IPv4Network("172.20.0.0/16")


def test_after_the_big_pools_come_small_ones() -> None:
    assert choose_subnet(DEFAULT_ADDRESS_POOLS, [IPv4Network("172.16.0.0/12")]) == IPv4Network(
        "192.168.0.0/20"
    )


def test_what_lies_behind_routers_is_passed_over_where_that_is_possible() -> None:
    behind = [IPv4Network("172.16.0.0/12")]
    assert str(choose_subnet(DEFAULT_ADDRESS_POOLS, (), shunned=behind)) == "192.168.0.0/20"
    private = [*behind, IPv4Network("192.168.0.0/16"), IPv4Network("10.0.0.0/8")]
    found = choose_subnet(DEFAULT_ADDRESS_POOLS, [IPv4Network("172.17.9.0/24")], shunned=private)
    assert str(found) == "172.18.0.0/16"


def test_a_pool_is_read_of_either_version() -> None:
    assert parse_address_pool("base=10.9.0.0/16,size=24") == AddressPool(
        IPv4Network("10.9.0.0/16"), 24
    )
    pool = parse_address_pool("size=64,base=fd00:9::/40")
    assert str(choose_subnet([pool], [IPv6Network("fd00:9::/63")], 6)) == "fd00:9:0:2::/64"


def test_a_pool_of_any_size_is_searched_at_once() -> None:
    pool = parse_address_pool("base=fd00::/8,size=126")
    used = [IPv6Network("fd00::/9"), IPv6Network("fd80::1/128")]
    assert str(choose_subnet([pool], used, 6)) == "fd80::4/126"
    with pytest.raises(InvalidInputError):
        choose_subnet([pool], [IPv6Network("fc00::/7")], 6)


def test_no_pool_left_is_said() -> None:
    pools = [AddressPool(IPv4Network("10.0.0.0/24"), 25)]
    with pytest.raises(InvalidInputError, match="all predefined address pools have been fully"):
        choose_subnet(pools, [IPv4Network("10.0.0.0/16")])


def test_addresses_are_given_lowest_first() -> None:
    leases = _leases()
    assert [str(leases.take_any()) for _ in range(3)] == ["10.0.0.2", "10.0.0.3", "10.0.0.4"]
    leases.give_back(IPv4Address("10.0.0.3"))
    assert str(leases.take_any()) == "10.0.0.3"


def test_a_full_subnet_is_said_in_dockers_words() -> None:
    leases = _leases()
    for _ in range(5):
        leases.take_any()
    with pytest.raises(FaultError) as caught:
        leases.take_any()
    assert caught.value.message == (
        "no available IPv4 addresses on this network's address pools: bridge (1)"
    )


@pytest.mark.parametrize(
    ("subnet", "count"), [("10.0.0.4/32", 0), ("10.0.0.4/31", 1), ("10.0.0.4/30", 1)]
)
def test_small_subnets_are_given_away_to_the_last(subnet: str, count: int) -> None:
    first = IPv4Network(subnet)[0 if count == 0 or subnet.endswith("31") else 1]
    leases = Leases("small", IPv4Network(subnet), [first])
    for number in range(count):
        assert leases.take_any() == first + 1 + number
    with pytest.raises(FaultError):
        leases.take_any()


def test_an_address_is_taken_once() -> None:
    leases = _leases()
    leases.take(IPv4Address("10.0.0.4"))
    for taken in ("10.0.0.4", "10.0.0.1"):
        with pytest.raises(ForbiddenError, match=r"^Address already in use$"):
            leases.take(IPv4Address(taken))
    for foreign in ("10.0.0.0", "10.0.0.7", "10.0.1.2"):
        with pytest.raises(InvalidInputError, match=f"^Invalid address {foreign}: "):
            leases.take(IPv4Address(foreign))


def test_giving_back_twice_is_harmless() -> None:
    leases = _leases()
    address = leases.take_any()
    leases.give_back(address)
    leases.give_back(address)
    leases.give_back(IPv4Address("10.0.0.1"))
    assert leases.take_any() == address
    assert str(leases.take_any()) == "10.0.0.3", "the gateway is never given away"


def test_a_mac_address_follows_from_the_ip_address() -> None:
    assert mac_for(IPv4Address("172.31.200.2")) == "02:42:ac:1f:c8:02"


def test_bip_is_a_hosts_address_with_a_prefix() -> None:
    assert str(parse_bip("172.30.0.1/24")) == "172.30.0.1/24"
    for text in (
        "172.30.0.1",
        "172.30.0.0/24",
        "172.30.0.255/24",
        "x",
        "10.0.0.1/31",
        "::1/64",
        "",
    ):
        with pytest.raises(InvalidInputError, match=r"^invalid CIDR address: "):
            parse_bip(text)
