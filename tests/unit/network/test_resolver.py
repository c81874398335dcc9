"""Name servers in their thread: what they know, when they learn it, and their end."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from naru.network import resolver as resolvers
from naru.network.dns_server import Sockets
from naru.network.names import NameRecord, NetworkNames, SandboxNames
from naru.network.resolver import Resolver

_ID = "a" * 64


class _Networks:
    """One container on one network, which counts how often its names are gathered."""

    def __init__(self) -> None:
        self.gathered = 0
        self.address = "10.0.0.2"
        self.is_there = True

    def named_netns(self, _container_id: str) -> Path | None:
        return Path("/nowhere") if self.is_there else None

    def names_of(self, container_id: str) -> SandboxNames | None:
        self.gathered += 1
        member = NameRecord(container_id, "web", "", (), self.address, "")
        network = NetworkNames("id", "front", False, False, (member,))
        return SandboxNames(container_id, Path("/nowhere"), (network,))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Sockets]:
    """Let name servers listen on the loopback of this process; give what they opened."""
    made: list[Sockets] = []

    def open_sockets(_netns_path: Path, _port: int) -> Sockets:
        sockets = Sockets(
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        )
        for one in (sockets.udp, sockets.tcp):
            one.setblocking(False)
            one.bind(("127.0.0.1", 0))
        sockets.tcp.listen()
        made.append(sockets)
        return sockets

    monkeypatch.setattr(resolvers, "open_sockets", open_sockets)
    return made


@pytest.fixture
def networks() -> _Networks:
    return _Networks()


@pytest.fixture
def resolver(networks: _Networks, opened: list[Sockets]) -> Iterator[Resolver]:
    resolver = Resolver(networks, lambda _: ())
    resolver.start()
    yield resolver
    resolver.close()


def _ask(port: int) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(dns.message.make_query("web.", "A").to_wire(), ("127.0.0.1", port))
        return str(dns.message.from_wire(client.recv(512)).answer[0][0])


def test_names_are_gathered_when_somebody_asks_and_not_before(
    resolver: Resolver, networks: _Networks, opened: list[Sockets]
) -> None:
    for _ in range(50):
        resolver.names_changed([_ID])
    assert networks.gathered == 0
    [sockets] = opened
    port = sockets.udp.getsockname()[1]
    assert [_ask(port), _ask(port)] == ["10.0.0.2"] * 2
    assert networks.gathered == 1


def test_a_change_is_known_to_the_next_who_asks(
    resolver: Resolver, networks: _Networks, opened: list[Sockets]
) -> None:
    resolver.names_changed([_ID])
    port = opened[0].udp.getsockname()[1]
    assert _ask(port) == "10.0.0.2"
    networks.address = "10.0.0.3"
    resolver.names_changed([_ID])
    assert _ask(port) == "10.0.0.3"


def test_a_container_that_has_left_holds_no_socket(
    resolver: Resolver, networks: _Networks, opened: list[Sockets]
) -> None:
    resolver.names_changed([_ID])
    networks.is_there = False
    resolver.names_changed([_ID])
    resolver.close()
    assert (opened[0].udp.fileno(), opened[0].tcp.fileno()) == (-1, -1)
