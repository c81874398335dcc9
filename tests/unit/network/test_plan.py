"""What endpoints want in the kernel."""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from naru.errors import InvalidInputError
from naru.network.model import Endpoint, Network, Protocol, PublishedPort
from naru.network.options import OPTION_BRIDGE, OPTION_MODE4
from naru.network.plan import (
    chosen_mac,
    free_interface,
    link_name,
    port_owners,
    ports_by_endpoint,
    relayed_ports,
    ways_out,
)


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


def _network(name: str, driver: str = "bridge", **options: str) -> Network:
    options = {OPTION_BRIDGE: "br0", **options}
    return Network(id=name, name=name, driver=driver, created_ns=0, options=options)


def _owners(network: Network, *, relays: bool, **more: Any) -> dict[int, str]:
    exits = ways_out([_endpoint("a", **more)])
    owners = port_owners(exits, {"a": network}, relays=relays)
    return {version: owner.network_name for version, owner in owners.items()}


def test_ports_of_ipv6_lead_to_the_owner_of_ipv4_where_they_are_relayed() -> None:
    assert _owners(_network("a"), relays=True) == {4: "a", 6: "a"}
    assert _owners(_network("a"), relays=False) == {4: "a"}
    assert _owners(_network("a", **{OPTION_MODE4: "routed"}), relays=True) == {4: "a"}
    assert _owners(_network("a", "macvlan"), relays=True) == {}
    six = {"ipv6": "fd00::2", "ipv6_prefix_length": 64, "ipv6_gateway": "fd00::1"}
    assert _owners(_network("a"), relays=True, ipv4="", gateway="", **six) == {6: "a"}


def test_ports_lead_where_translation_or_a_relay_takes_them() -> None:
    def port(host: str, protocol: Protocol = "tcp") -> PublishedPort:
        return PublishedPort(80, protocol, host, 8080)

    four, six = _endpoint("four"), _endpoint("six", ipv6="fd00::2")
    ports = [port("0.0.0.0"), port("::"), port("::1", "udp"), port("::", "sctp")]
    assert ports_by_endpoint(ports, {4: four, 6: six}) == [
        (four, ports[0]), (six, ports[1]), (six, ports[2]), (six, ports[3]),
    ]  # fmt: skip
    assert relayed_ports(ports, {4: four, 6: six}) == {}
    inner = ("10.0.0.2", 80)
    assert relayed_ports(ports, {4: four, 6: four}) == {ports[1]: inner, ports[2]: inner}
    assert ports_by_endpoint(ports, {4: four}) == [(four, ports[0])]


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
