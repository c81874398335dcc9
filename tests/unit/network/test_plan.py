"""What an endpoint wants in the kernel."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from naru.errors import InvalidInputError
from naru.network.model import Endpoint, Network
from naru.network.plan import (
    OPTION_BRIDGE,
    OPTION_ICC,
    OPTION_MTU,
    chosen_mac,
    link_name,
    plan_endpoint,
)


def test_a_plan_follows_from_network_and_lease() -> None:
    network = Network(
        id="n", name="bridge", driver="bridge", created_ns=0,
        options={OPTION_BRIDGE: "br0", OPTION_MTU: "1400", OPTION_ICC: "true"},
    )  # fmt: skip
    endpoint = Endpoint("n", "bridge", "e" * 64, "10.0.0.2", 24, "10.0.0.1", "02:42:0a:00:00:02")
    plan = plan_endpoint(network, endpoint)
    assert (plan.bridge, plan.link_name, plan.interface_name) == ("br0", "vetheeeeeeeeeee", "eth0")
    assert (str(plan.address), str(plan.gateway), plan.mtu) == ("10.0.0.2/24", "10.0.0.1", 1400)
    assert not plan.is_isolated


def test_a_link_name_fits_the_kernel() -> None:
    assert len(link_name("a" * 64)) == 15


def test_a_mac_address_is_read_as_written_anywhere() -> None:
    address = IPv4Address("10.0.0.2")
    assert chosen_mac("", address) == "02:42:0a:00:00:02"
    assert chosen_mac("02-AA-00-00-00-01", address) == "02:aa:00:00:00:01"


@pytest.mark.parametrize("text", ["zz", "02:42", "03:00:00:00:00:01", "02:42:00:00:00:00:00", " "])
def test_a_mac_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        chosen_mac(text, IPv4Address("10.0.0.2"))
    assert caught.value.message == f"invalid MAC address: {text}"
