"""UDP flows that must not go on where they went before; see `linux.conntrack`.

Looking at the kernel's flows costs time that grows with their number, so it is done for
containers that publish UDP ports alone. That it failed is no reason to refuse a container.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from ipaddress import ip_address

from naru.errors import FaultError
from naru.linux.conntrack import forget_udp_flows
from naru.network.model import PublishedPort

_log = logging.getLogger(__name__)


def forget_flows_to(published: Iterable[PublishedPort]) -> None:
    """Let clients that sent to these ports of the host before reach the container now."""
    ports = {port.host_port for port in published if port.protocol == "udp"}
    if ports:
        _forget(ports, ())


def forget_flows_from(addresses: Iterable[str]) -> None:
    """Let no client go on speaking to the container that had these addresses."""
    packed = [ip_address(address).packed for address in addresses if address]
    if packed:
        _forget((), packed)


def _forget(ports: Iterable[int], addresses: Iterable[bytes]) -> None:
    try:
        forget_udp_flows(host_ports=frozenset(ports), container_addresses=frozenset(addresses))
    except FaultError as error:
        _log.warning("forget UDP flows: %s", error.message)
