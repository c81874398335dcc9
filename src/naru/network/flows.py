"""Flows that must not go on where they went before, or stand in the way; see `linux.conntrack`.

Looking at the kernel's flows costs time that grows with their number, so it is done for
containers that publish ports alone. That it failed is no reason to refuse a container.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from ipaddress import ip_address
from typing import TypeVar

from naru.errors import FaultError
from naru.linux import conntrack
from naru.network.model import PublishedPort

T = TypeVar("T")
_log = logging.getLogger(__name__)


def forget_flows_to(published: Iterable[PublishedPort]) -> None:
    """Let clients that sent datagrams to these ports of the host before reach the container now."""
    ports = {port.host_port for port in published if port.protocol == "udp"}
    _forget(conntrack.forget_udp_flows, ports)


def forget_flows_from(addresses: Iterable[str]) -> None:
    """Let no client go on speaking to the container that had these addresses, nor remember it."""
    packed = {ip_address(address).packed for address in addresses if address}
    _forget(conntrack.forget_flows_from, packed)


def _forget(forget: Callable[[Collection[T]], int], wanted: Collection[T]) -> None:
    if not wanted:
        return
    try:
        forget(wanted)
    except FaultError as error:
        _log.warning("forget flows: %s", error.message)
