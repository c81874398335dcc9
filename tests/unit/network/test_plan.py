"""What endpoints want in the kernel."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from naru.errors import InvalidInputError
from naru.network.model import Endpoint
from naru.network.plan import chosen_mac, free_interface, link_name, ways_out


def _endpoint(name: str, **more: Any) -> Endpoint:
    values = {"ipv4": "10.0.0.2", "prefix_length": 24, "gateway": "10.0.0.1", **more}
    return Endpoint(
        endpoint_id=name, network_id=name, network_name=name, container_id="c", container_name="c",
        **values,
    )  # fmt: skip


def _ways(*endpoints: Endpoint) -> dict[int, str]:
    return {version: found.network_name for version, found in ways_out(endpoints).items()}


def test_the_network_whose_name_comes_first_leads_out() -> None:
    assert _ways(_endpoint("b"), _endpoint("a")) == {4: "a"}


def test_a_priority_counts_before_the_name_and_may_be_negative() -> None:
    assert _ways(_endpoint("a"), _endpoint("b", gateway_priority=1)) == {4: "b"}
    assert _ways(_endpoint("a", gateway_priority=-1), _endpoint("b")) == {4: "b"}


def test_a_network_without_a_gateway_never_leads_out() -> None:
    assert _ways(_endpoint("a", gateway="", gateway_priority=9), _endpoint("b")) == {4: "b"}
    assert _ways(_endpoint("a", gateway="")) == {}


def test_each_version_has_its_own_way_out() -> None:
    six = {"ipv6": "fd00::2", "ipv6_prefix_length": 64, "ipv6_gateway": "fd00::1"}
    only6 = _endpoint("a", ipv4="", gateway="", **six)
    assert _ways(only6, _endpoint("b")) == {4: "b", 6: "a"}
    assert _ways(_endpoint("a"), _endpoint("b", **six)) == {4: "b", 6: "b"}, "both at once first"


def test_a_network_without_gateway_may_lead_out_by_its_wire() -> None:
    assert _ways(_endpoint("a", gateway="", routes_by_device=True)) == {4: "a"}


def test_interfaces_are_numbered_and_gaps_are_filled() -> None:
    assert free_interface("eth", ()) == "eth0"
    assert free_interface("eth", {"eth0", "eth2", "lan1"}) == "eth1"


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
