"""Where ports are published that ask for it, and whether what is published is what was asked. Pure.

A request that names no address is for the defaults: a network's own, or else the engine's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from naru.errors import InvalidInputError, NotSupportedError
from naru.network.addresses import read_address
from naru.network.model import (
    ANY_ADDRESS,
    ANY_ADDRESS6,
    PortRequest,
    PublishedPort,
    Version,
)


def hosts_of(
    request: PortRequest, defaults: Sequence[str], versions: Collection[Version]
) -> list[str]:
    """Return the host's addresses that a port is published on, of these versions.

    Raises:
        InvalidInputError: an address is none.
        NotSupportedError: there is none of these versions.
    """
    found = _meant_hosts(request, defaults)
    fitting = [host for host in found if version_of(host) in versions]
    if not fitting:
        raise NotSupportedError(
            f"cannot publish on {found[0]}: the container's network has no "
            f"IPv{version_of(found[0])}",
            hint="publish on an address of a version that the network has",
        )
    return fitting


def has_place(request: PortRequest, defaults: Sequence[str], versions: Collection[Version]) -> bool:
    """Say whether a port can be published on any address of these versions."""
    return any(version_of(host) in versions for host in _meant_hosts(request, defaults))


def version_of(host: str) -> Version:
    """Return the version of an address in its canonical form."""
    return 6 if ":" in host else 4


def port_difference(
    requests: Iterable[PortRequest],
    published: Collection[PublishedPort],
    hosts: Callable[[PortRequest], Sequence[str]],
    gone: Collection[PublishedPort] = (),
) -> tuple[tuple[PortRequest, ...], tuple[PublishedPort, ...]]:
    """Return what is asked for and not published, and what is published and not asked for.

    `hosts` gives the addresses of a request. A request for any free port keeps the one that it
    has, unless that is asked for by its number. Nothing that is `gone` is kept.
    """
    requests = list(requests)
    numbered = {(one.protocol, one.host_port) for one in requests if _is_numbered(one)}
    left = [port for port in published if port not in gone]
    missing: list[PortRequest] = []
    for request in requests:
        wanted = hosts(request)
        met: list[PublishedPort] = []
        for host in wanted:
            fitting = [
                port
                for port in left
                if port.host_ip == host
                and _meets(port, request)
                and (_is_numbered(request) or (port.protocol, port.host_port) not in numbered)
            ]
            # One number on all addresses, where there is such a one.
            numbers = {port.host_port for port in met}
            fitting.sort(key=lambda port: port.host_port not in numbers)
            met += fitting[:1]
        left = [port for port in left if port not in met]
        unmet = [host for host in wanted if host not in {port.host_ip for port in met}]
        if met:
            missing += [replace(request, host_ip=host) for host in unmet]
        elif unmet:
            missing.append(request)
    return tuple(missing), (*left, *(port for port in published if port in gone))


def _is_numbered(request: PortRequest) -> bool:
    return 0 < request.host_port == max(request.host_port, request.host_port_end)


def _meets(port: PublishedPort, request: PortRequest) -> bool:
    if (port.container_port, port.protocol) != (request.container_port, request.protocol):
        return False
    if 0 in (port.host_port, request.host_port):
        # Reached at its own address, or anywhere.
        return True
    return request.host_port <= port.host_port <= max(request.host_port, request.host_port_end)


def _meant_hosts(request: PortRequest, defaults: Sequence[str]) -> list[str]:
    return [
        host
        for text in ((request.host_ip,) if request.host_ip else defaults)
        for host in _meant(text, is_default=not request.host_ip)
    ]


def _meant(text: str, *, is_default: bool) -> list[str]:
    try:
        address = str(read_address(text))
    except ValueError as error:
        raise InvalidInputError(f"invalid IP address: {text}") from error
    # Nobody said where: then everywhere.
    return [ANY_ADDRESS, ANY_ADDRESS6] if is_default and address == ANY_ADDRESS else [address]
