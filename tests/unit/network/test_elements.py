"""What the firewall has to know of networks and ports."""

from __future__ import annotations

from naru.network.elements import link_elements, network_elements, port_elements
from naru.network.model import Endpoint, Network, Pool, PublishedPort
from naru.network.options import (
    OPTION_BRIDGE,
    OPTION_ICC,
    OPTION_MASQUERADE,
    OPTION_MODE4,
    OPTION_MODE6,
    OPTION_SOURCE4,
    OPTION_TRUSTED,
)
from naru.network.rules import Element, interface

BR = interface("br0")
FOUR = Pool(subnet="172.18.0.0/16", gateway="172.18.0.1")
SIX = Pool(subnet="fd00::/64", gateway="fd00::1")


def _network(
    *pools: Pool, internal: bool = False, options: dict[str, str] | None = None
) -> Network:
    return Network(
        id="n", name="net", driver="bridge", created_ns=0, pools=pools or (FOUR,),
        internal=internal, options={OPTION_BRIDGE: "br0", **(options or {})},
    )  # fmt: skip


def _places(network: Network) -> set[str]:
    return {element.place for element in network_elements(network)}


def test_a_network_is_a_handful_of_elements() -> None:
    assert network_elements(_network(FOUR, SIX)) == {
        Element("bridges", (BR,)),
        Element("neighbours", (BR, BR), ("accept",)),
        Element("home4", ("172.18.0.0/16", BR)),
        Element("home6", ("fd00::/64", BR)),
        Element("masquerade4", ("172.18.0.0/16",)),
        Element("masquerade6", ("fd00::/64",)),
    }


def test_networks_without_a_bridge_have_none() -> None:
    assert network_elements(Network(id="1", name="none", driver="null", created_ns=0)) == set()


def test_options_change_the_elements() -> None:
    drop = Element("neighbours", (BR, BR), ("drop",))
    assert drop in network_elements(_network(options={OPTION_ICC: "false"}))
    assert "masquerade4" not in _places(_network(options={OPTION_MASQUERADE: "false"}))
    sourced = network_elements(_network(options={OPTION_SOURCE4: "192.0.2.1"}))
    assert Element("source4", ("172.18.0.0/16",), ("192.0.2.1",)) in sourced
    trusted = network_elements(_network(options={OPTION_TRUSTED: "eth1:eth2"}))
    assert Element("trusted", (interface("eth2"), BR)) in trusted


def test_an_internal_network_hides_behind_nobody() -> None:
    places = _places(_network(FOUR, SIX, internal=True))
    assert places == {"bridges", "neighbours", "internal", "home4", "home6"}


def test_modes_are_per_version() -> None:
    routed = network_elements(_network(FOUR, SIX, options={OPTION_MODE6: "routed"}))
    assert Element("routed", (BR, "ipv6")) in routed
    assert Element("masquerade4", ("172.18.0.0/16",)) in routed
    assert "masquerade6" not in {element.place for element in routed}
    open4 = _network(options={OPTION_MODE4: "nat-unprotected"})
    assert Element("unprotected", (BR, "ipv4")) in network_elements(open4)


def _ports(network: Network, *ports: PublishedPort) -> set[Element]:
    endpoint = Endpoint(
        endpoint_id="e", network_id="n", network_name="net", container_id="c", container_name="c",
        ipv4="172.18.0.2", ipv6="fd00::2",
    )  # fmt: skip
    return port_elements(ports, {4: endpoint, 6: endpoint}, {"n": network})


def test_ports_lead_to_the_address_of_their_version() -> None:
    found = _ports(
        _network(FOUR, SIX),
        PublishedPort(80, "tcp", "0.0.0.0", 8080),
        PublishedPort(80, "tcp", "::", 8080),
        PublishedPort(53, "udp", "::1", 53),
    )
    assert found == {
        Element("published", ("tcp", "8080"), ("172.18.0.2", "80")),
        Element("published6", ("tcp", "8080"), ("fd00::2", "80")),
        Element("published6_on", ("udp", "::1", "53"), ("fd00::2", "53")),
    }


def test_a_port_without_an_address_of_its_version_is_relayed() -> None:
    endpoint = Endpoint(
        endpoint_id="e", network_id="n", network_name="net", container_id="c", container_name="c",
        ipv4="172.18.0.2",
    )  # fmt: skip
    ports = (PublishedPort(80, "tcp", "::", 8080), PublishedPort(53, "udp", "::1", 53))
    found = port_elements(ports, {4: endpoint, 6: endpoint}, {"n": _network()}, asks_host=True)
    assert found == {
        Element("relayed6", ("tcp", "8080")),
        Element("relayed6_on", ("udp", "::1", "53")),
    }


def test_a_routed_port_is_opened_and_not_translated() -> None:
    network = _network(options={OPTION_MODE4: "routed"})
    assert _ports(network, PublishedPort(80, "tcp", "0.0.0.0", 0)) == {
        Element("open4", ("172.18.0.2", "tcp", "80"))
    }


def test_a_trusted_interface_may_use_both_ways() -> None:
    network = _network(options={OPTION_TRUSTED: "eth1"})
    found = _ports(network, PublishedPort(80, "tcp", "0.0.0.0", 1))
    assert {element.place for element in found} == {"open4", "published"}


def test_a_link_opens_the_ports_that_are_exposed() -> None:
    endpoint = Endpoint(
        endpoint_id="e", network_id="n", network_name="net", container_id="c", container_name="c",
        ipv4="10.0.0.2", reaches=(("10.0.0.3", "80/tcp"), ("10.0.0.3", "53/udp")),
    )  # fmt: skip
    assert link_elements(endpoint) == {
        Element("linked", ("10.0.0.2", "10.0.0.3", "tcp", "80")),
        Element("linked", ("10.0.0.2", "10.0.0.3", "udp", "53")),
    }
