"""Docker's words for published ports, read into `PortRequest`s. Pure.

Spec: Engine API 1.50, HostConfig.PortBindings, ContainerConfig.ExposedPorts; docker/go-connections
nat, ParsePortRange.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol as TypingProtocol

from naru.errors import InvalidInputError
from naru.network.addresses import read_address
from naru.network.model import PROTOCOLS, PortRequest, Protocol

_NUMBER = re.compile(r"[0-9]{1,5}")
_HIGHEST = 65535


class Binding(TypingProtocol):
    """The part of a port binding that is read here; empty means any."""

    @property
    def host_ip(self) -> str | None:
        """An address of the host."""

    @property
    def host_port(self) -> str | None:
        """A port or a range."""


def parse_port_requests(
    exposed: Iterable[str] | None,
    bindings: Mapping[str, Sequence[Binding] | None] | None,
    *,
    publish_all: bool = False,
) -> tuple[PortRequest, ...]:
    """Return what to publish, those with a port of their own first.

    With `publish_all`, exposed ports without a binding get any free port. Bindings of ports
    that are not exposed count too.

    Raises:
        InvalidInputError: a port, range, protocol or address is no such thing.
    """
    requests, bound = [], set()
    for key, wanted in (bindings or {}).items():
        container_port, protocol = parse_port(key)
        for binding in wanted or ():
            bound.add((container_port, protocol))
            first, last = _range(binding.host_port or "0")
            host_ip = _host_ip(binding.host_ip or "")
            requests.append(PortRequest(container_port, protocol, host_ip, first, last))
    if publish_all:
        requests += [
            PortRequest(port, protocol)
            for key in exposed or ()
            for port, protocol in parse_port_range(key)
            if (port, protocol) not in bound
        ]
    # Ports asked for by number are taken before free ones are chosen, or a free one might be
    # just the one that is asked for next.
    return tuple(
        sorted(
            dict.fromkeys(requests),
            key=lambda request: (
                request.host_port == 0,
                request.host_port_end != request.host_port,
                PROTOCOLS.index(request.protocol),
                request.container_port,
            ),
        )
    )


@dataclass(frozen=True, slots=True)
class HostSide:
    """Ports of the host, from `first` to `last`; on every address where `host_ip` is empty."""

    host_ip: str
    first: int
    last: int
    protocol: Protocol

    def covers(self, host_ip: str, number: int, protocol: str) -> bool:
        """Say whether a port is one of them; what is published anywhere is on no certain address."""
        same_place = not self.host_ip or self.host_ip == host_ip
        return same_place and protocol == self.protocol and self.first <= number <= self.last

    def __str__(self) -> str:
        """Print it as users write it."""
        host = f"[{self.host_ip}]" if ":" in self.host_ip else self.host_ip
        end = f"-{self.last}" if self.last != self.first else ""
        return f"{host}{':' if host else ''}{self.first}{end}/{self.protocol}"


def parse_host_side(text: str) -> HostSide:
    """Read `[ADDRESS:]PORT[-PORT][/PROTOCOL]`: ports of the host.

    Raises:
        InvalidInputError: it is no such thing.
    """
    address, _, port = text.rpartition(":")
    try:
        numbers, protocol = _split(port)
        first, last = _range(numbers)
        if first == 0:
            raise _invalid(text)
        return HostSide(_host_ip(address), first, last, protocol)
    except InvalidInputError as error:
        # People write `8080:80`, as for publishing.
        error.hint = f'"{text}": expected [ADDRESS:]PORT[-PORT][/PROTOCOL], ports of the host alone'
        raise


def parse_port(text: str) -> tuple[int, Protocol]:
    """Read `80/tcp`; the protocol may be missing.

    Raises:
        InvalidInputError: it is no single port.
    """
    number, protocol = _split(text)
    return _number(number, number), protocol


def parse_port_range(text: str) -> list[tuple[int, Protocol]]:
    """Read `80/tcp` or `8000-8010/udp` as ports.

    Raises:
        InvalidInputError: it is neither.
    """
    numbers, protocol = _split(text)
    first, last = _range(numbers)
    if first == 0:
        raise _invalid(numbers)
    return [(port, protocol) for port in range(first, last + 1)]


def _split(text: str) -> tuple[str, Protocol]:
    number, slash, name = text.partition("/")
    wanted = name.lower() if slash else "tcp"
    for protocol in PROTOCOLS:
        if wanted == protocol:
            return number, protocol
    raise InvalidInputError(f"invalid proto: {name}")


def _range(text: str) -> tuple[int, int]:
    first_text, dash, last_text = text.partition("-")
    if not dash:
        only = 0 if text == "0" else _number(text, text)
        return only, only
    first, last = _number(first_text, text), _number(last_text, text)
    if last < first:
        raise _invalid(text)
    return first, last


def _number(text: str, whole: str) -> int:
    if not _NUMBER.fullmatch(text) or not 1 <= int(text) <= _HIGHEST:
        raise _invalid(whole)
    return int(text)


def _invalid(text: str) -> InvalidInputError:
    return InvalidInputError(f'invalid port specification: "{text}"')


def _host_ip(text: str) -> str:
    bare = text.removeprefix("[").removesuffix("]")
    if not bare:
        return ""
    try:
        return str(read_address(bare))
    except ValueError as error:
        raise InvalidInputError(f"invalid IP address: {text}") from error
