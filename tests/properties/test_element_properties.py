"""What the firewall is told of ports, whatever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.network.elements import port_elements
from naru.network.model import PROTOCOLS, Endpoint, Network, Pool, PublishedPort, Version
from naru.network.rules import Element, additions, removals

_ENDPOINT = Endpoint(
    endpoint_id="e", network_id="n", network_name="n", container_id="c", container_name="c",
    ipv4="172.18.0.2", ipv6="fd00::2",
)  # fmt: skip
_NETWORK = Network(
    id="n",
    name="n",
    driver="bridge",
    created_ns=0,
    pools=(Pool(subnet="172.18.0.0/16"), Pool(subnet="fd00::/64")),
)
_NUMBERS = st.integers(min_value=1, max_value=65535)
_PORTS = st.lists(
    st.builds(
        PublishedPort,
        _NUMBERS,
        st.sampled_from(PROTOCOLS),
        st.sampled_from(["0.0.0.0", "127.0.0.1", "192.0.2.1", "::", "::1", "2001:db8::1"]),
        _NUMBERS,
    ),
    max_size=12,
    # No port of the host is had twice.
    unique_by=lambda port: (port.protocol, port.host_ip, port.host_port),
)


def _elements(ports: list[PublishedPort], *, asks_host: bool) -> set[Element]:
    owners: dict[Version, Endpoint] = {4: _ENDPOINT, 6: _ENDPOINT}
    return port_elements(ports, owners, {"n": _NETWORK}, asks_host=asks_host)


@given(_PORTS)
def test_no_two_ports_are_one_key_of_a_map(ports: list[PublishedPort]) -> None:
    found = _elements(ports, asks_host=False)
    assert len({(element.place, element.key) for element in found}) == len(found) == len(ports)


@given(_PORTS)
def test_the_host_is_asked_about_every_port_that_is_translated(ports: list[PublishedPort]) -> None:
    found = _elements(ports, asks_host=True)
    translated = {(e.place.removeprefix("published"), e.key) for e in found if e.value}
    asked = {(e.place.removeprefix("asked"), e.key) for e in found if not e.value}
    assert translated == asked
    assert {e for e in found if e.value} == _elements(ports, asks_host=False)


@given(_PORTS, _PORTS)
def test_ports_of_one_container_do_not_touch_those_of_another(
    mine: list[PublishedPort], others: list[PublishedPort]
) -> None:
    taken = {(port.protocol, port.host_ip, port.host_port) for port in mine}
    theirs = [p for p in others if (p.protocol, p.host_ip, p.host_port) not in taken]
    left = _elements(mine, asks_host=True) & _elements(theirs, asks_host=True)
    assert not left
    text = removals("t", _elements(mine, asks_host=True))
    assert text.startswith(additions("t", _elements(mine, asks_host=True)))
    assert text.count("delete element") == 2 * len(mine)
