"""Addresses of users are read strictly."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.network.addresses import read_address, read_subnet
from naru.network.ipam_requests import checked_pools
from naru.network.model import Pool

EVIL = '::1%"}; flush ruleset; #'


def test_a_scope_never_comes_through() -> None:
    with pytest.raises(ValueError, match="scope"):
        read_address(EVIL)
    with pytest.raises(ValueError, match="scope"):
        read_subnet("fe80::%x/64")
    for pool in (Pool(subnet="fe80::%x/64"), Pool(subnet="fd00::/64", gateway=f"fd00{EVIL}")):
        with pytest.raises(InvalidInputError):
            checked_pools([pool])


def test_a_subnet_has_a_prefix_length_and_no_bits_of_a_host() -> None:
    assert str(read_subnet("10.0.0.0/24")) == "10.0.0.0/24"
    assert str(read_subnet("10.0.0.9/24", strict=False)) == "10.0.0.0/24"
    for text in ("10.0.0.0", "10.0.0.9/24", "10.0.0.0/33", "x/8"):
        with pytest.raises(ValueError, match=r".+"):
            read_subnet(text)
