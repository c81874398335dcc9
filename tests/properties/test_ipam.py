"""Laws of address management."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from naru.errors import FaultError, ForbiddenError, InvalidInputError
from naru.network.ipam import Leases, choose_subnet, mac_for
from naru.network.model import DEFAULT_ADDRESS_POOLS, Address, NetworkRequest, Pool
from naru.network.pools import settle_pools

SUBNET = IPv4Network("10.0.0.0/28")
GATEWAY = IPv4Address("10.0.0.1")


class LeaseMachine(RuleBasedStateMachine):
    """A subnet of thirteen places never gives one away twice, and never loses one."""

    def __init__(self) -> None:
        super().__init__()
        self.leases = Leases("test", SUBNET, [GATEWAY])
        self.held: set[Address] = set()

    @property
    def free(self) -> list[IPv4Address]:
        return [host for host in SUBNET.hosts() if host != GATEWAY and host not in self.held]

    @rule()
    def take_any(self) -> None:
        if not self.free:
            with pytest.raises(FaultError):
                self.leases.take_any()
            return
        address = self.leases.take_any()
        assert address == self.free[0], "the lowest free one"
        self.held.add(address)

    @rule(host=st.sampled_from(list(SUBNET.hosts())))
    def take_one(self, host: IPv4Address) -> None:
        if host in self.free:
            self.leases.take(host)
            self.held.add(host)
        else:
            with pytest.raises(ForbiddenError):
                self.leases.take(host)

    @rule(host=st.sampled_from(list(SUBNET)))
    def give_back(self, host: IPv4Address) -> None:
        self.leases.give_back(host)
        self.held.discard(host)

    @precondition(lambda self: self.held)
    @rule()
    def give_all_back(self) -> None:
        for host in list(self.held):
            self.leases.give_back(host)
        self.held.clear()

    @invariant()
    def agree(self) -> None:
        assert self.leases.taken() == self.held


TestLeases = LeaseMachine.TestCase


@given(
    st.lists(
        st.tuples(st.integers(0, 2**32 - 1), st.integers(1, 32)).map(
            lambda pair: IPv4Network(pair, strict=False)
        ),
        max_size=40,
    )
)
def test_a_chosen_subnet_overlaps_nothing_in_use(used: list[IPv4Network]) -> None:
    try:
        chosen = choose_subnet(DEFAULT_ADDRESS_POOLS, used)
    except InvalidInputError:
        bases = [
            subnet
            for pool in DEFAULT_ADDRESS_POOLS
            for subnet in pool.base.subnets(new_prefix=pool.size)
        ]
        assert all(any(base.overlaps(one) for one in used) for base in bases)
        return
    assert not any(chosen.overlaps(one) for one in used)


@given(
    prefix=st.integers(20, 32),
    bits=st.integers(20, 32),
    seed=st.integers(0, 2**12 - 1),
    data=st.data(),
)
def test_gateway_neighbours_and_containers_never_share_an_address(
    prefix: int, bits: int, seed: int, data: st.DataObject
) -> None:
    subnet = IPv4Network((int(IPv4Address("10.0.0.0")) + seed, prefix), strict=False)
    ip_range = IPv4Network(
        (int(subnet[seed % subnet.num_addresses]), max(prefix, bits)), strict=False
    )
    near = st.integers(0, min(5, subnet.num_addresses - 1)).map(lambda number: str(subnet[number]))
    auxiliary = data.draw(st.dictionaries(st.sampled_from("abc"), near))
    pool = Pool(subnet=str(subnet), ip_range=str(ip_range), auxiliary=auxiliary, is_chosen=True)
    try:
        [settled] = settle_pools(
            NetworkRequest(name="n", pools=(pool,)), taken=(), in_use=(), defaults=()
        )
    except InvalidInputError:
        return
    gateway = IPv4Address(settled.gateway)
    others = [IPv4Address(text) for text in auxiliary.values()]
    assert gateway in ip_range
    leases = Leases("n", subnet, [gateway, *others], ip_range)
    held: list[Address] = [gateway, *others]
    for _ in range(3):
        try:
            held.append(leases.take_any())
        except FaultError:
            break
    assert len(set(held)) == len(held)
    assert all(address in subnet for address in held)
    if subnet.num_addresses > 2:
        assert not {subnet.network_address, subnet.broadcast_address} & set(held)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_two_addresses_never_share_a_mac_address(first: int, second: int) -> None:
    same = mac_for(IPv4Address(first)) == mac_for(IPv4Address(second))
    assert same == (first == second)
