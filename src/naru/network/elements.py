"""Which elements our nft table has for a network, and for a container's published ports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from naru.network.model import (
    ANY_ADDRESS,
    ANY_ADDRESS6,
    Endpoint,
    Network,
    PublishedPort,
    Version,
)
from naru.network.options import BridgeSettings, bridge_settings
from naru.network.plan import ports_by_endpoint
from naru.network.rules import Element, Value, interface


def network_elements(network: Network) -> set[Element]:
    """Return the elements of a network; of drivers without a bridge there are none."""
    if network.driver != "bridge":
        return set()
    settings = bridge_settings(network)
    name = interface(settings.bridge)
    verdict = "accept" if settings.inter_container else "drop"
    found = {Element("bridges", (name,)), Element("neighbours", (name, name), (verdict,))}
    if network.internal:
        found.add(Element("internal", (name,)))
    for other in settings.trusted_interfaces:
        found.add(Element("trusted", (interface(other), name)))
    for pool in network.pools:
        found.add(Element(f"home{pool.version}", (pool.subnet, name)))
        found |= _ways(network, settings, pool.subnet, pool.version)
    return found


def _ways(
    network: Network, settings: BridgeSettings, subnet: str, version: Version
) -> set[Element]:
    name, mode = interface(settings.bridge), settings.mode(version)
    if network.internal:
        return set()
    if mode == "routed":
        return {Element("routed", (name, f"ipv{version}"))}
    found = set()
    if mode == "nat-unprotected":
        found.add(Element("unprotected", (name, f"ipv{version}")))
    if source := settings.source(version):
        found.add(Element(f"source{version}", (subnet,), (source,)))
    elif settings.masquerade:
        found.add(Element(f"masquerade{version}", (subnet,)))
    return found


def port_elements(
    published: Iterable[PublishedPort],
    owners: Mapping[Version, Endpoint],
    networks: Mapping[str, Network],
    *,
    asks_host: bool = False,
) -> set[Element]:
    """Return the elements of a container's ports, each leading to its owner of that version.

    With `asks_host`, also those that have the host's own firewall asked first.
    """
    found: set[Element] = set()
    for endpoint, port in ports_by_endpoint(published, owners):
        settings = bridge_settings(networks[endpoint.network_id])
        address = endpoint.address(port.version)
        if not address:
            found.add(_relay(port))
            continue
        inner = (address, port.protocol, str(port.container_port))
        is_routed = settings.mode(port.version) == "routed"
        if is_routed or settings.trusted_interfaces:
            found.add(Element(f"open{port.version}", inner))
        if not is_routed:
            found.add(_translation(port, address))
            if asks_host:
                found.add(_question(port))
    return found


def _translation(port: PublishedPort, address: str) -> Element:
    place, key = _host_side(port)
    return Element(f"published{place}", key, (address, str(port.container_port)))


def _question(port: PublishedPort) -> Element:
    place, key = _host_side(port)
    return Element(f"asked{place}", key)


def _relay(port: PublishedPort) -> Element:
    place, key = _host_side(port)
    return Element(f"relayed{place}", key)


def _host_side(port: PublishedPort) -> tuple[str, Value]:
    """Return which of several sets a port is in, as the end of their name, and its key there."""
    version = "" if port.version == 4 else "6"
    if port.host_ip in (ANY_ADDRESS, ANY_ADDRESS6):
        return version, (port.protocol, str(port.host_port))
    return f"{version}_on", (port.protocol, port.host_ip, str(port.host_port))


def link_elements(endpoint: Endpoint) -> set[Element]:
    """Return the elements that let a container speak to the neighbours that it links to."""
    found = set()
    for address, port in endpoint.reaches:
        number, _, protocol = port.partition("/")
        found.add(Element("linked", (endpoint.ipv4, address, protocol or "tcp", number)))
    return found
