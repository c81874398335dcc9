"""Datagrams that are carried on and answered: to whom, from where, and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from naru.network import datagram_relay
from naru.network.datagram_relay import DatagramRelay
from naru.network.relay_room import Room


class _Server:
    """Answers with what it got, backwards; notes who asked."""

    def __init__(self, place: tuple[str, int] = ("127.0.0.1", 0)) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind(place)
        self.place = self.socket.getsockname()
        self.peers: list[tuple[str, int]] = []
        asyncio.get_running_loop().add_reader(self.socket, self._answer)

    def _answer(self) -> None:
        data, peer = self.socket.recvfrom(65535)
        self.peers.append(peer)
        self.socket.sendto(data[::-1], peer)

    def close(self) -> None:
        if self.socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.socket)
            self.socket.close()


Start = Callable[..., Awaitable[tuple[_Server, int]]]


@pytest.fixture
def room() -> Room:
    return Room(3)


@pytest.fixture
async def start(room: Room) -> AsyncIterator[Start]:
    """Give a function that starts a server and a relay to it; returns it and the relay's port."""
    with contextlib.ExitStack() as stack:

        async def started(*, idle_s: float = 60) -> tuple[_Server, int]:
            server = _Server()
            stack.callback(server.close)
            port = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            port.bind(("::", 0))
            relay = DatagramRelay(port, server.place, room, idle_s)
            relay.begin()
            stack.callback(relay.end)
            return server, port.getsockname()[1]

        yield started


@contextlib.contextmanager
def _client(port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        client.connect(("::1", port))
        yield client


async def _ask(client: socket.socket, data: bytes) -> bytes:
    client.send(data)
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(client, 65535)


async def test_datagrams_of_any_size_come_back_to_who_sent_them(start: Start) -> None:
    server, port = await start()
    with _client(port) as one, _client(port) as other:
        assert await _ask(one, b"one") == b"eno"
        assert await _ask(other, b"other" * 12_000) == b"rehto" * 12_000
        assert await _ask(one, b"") == b""
    assert len(server.peers) == 3
    assert server.peers[0] == server.peers[2] != server.peers[1]


async def test_a_sender_is_forgotten_when_nothing_is_heard(start: Start, room: Room) -> None:
    server, port = await start(idle_s=0.2)
    with _client(port) as one, _client(port) as busy:
        await _ask(one, b"one")
        for _ in range(8):
            await _ask(busy, b"busy")
            await asyncio.sleep(0.05)
        assert room.take(2), "one that says something stays"
        room.give_back(2)
        assert len(set(server.peers)) == 2
        async with asyncio.timeout(10):
            while not room.take(3):
                await asyncio.sleep(0.02)
        room.give_back(3)
        assert await _ask(one, b"again") == b"niaga"


@pytest.mark.parametrize("most", [2, 1000])
async def test_of_too_many_senders_the_oldest_goes(
    start: Start, most: int, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datagram_relay, "_MOST_SENDERS", most)
    _server, port = await start()
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(_client(port)) for _ in range(12)]
        for client in clients:
            assert await _ask(client, b"word") == b"drow"
        assert room.take(3 - min(most, 3))
        assert not room.take(1 + 3 - min(most, 3))


async def test_without_room_for_anybody_datagrams_are_lost_and_nothing_else(
    start: Start, room: Room
) -> None:
    _server, port = await start()
    assert room.take(3)
    with _client(port) as client:
        client.send(b"lost")
        await asyncio.sleep(0.05)
        room.give_back(3)
        assert await _ask(client, b"word") == b"drow"


async def test_a_server_that_comes_later_is_reached_from_the_same_port(start: Start) -> None:
    server, port = await start()
    server.close()
    with _client(port) as client:
        client.send(b"nobody hears")
        await asyncio.sleep(0.05)
        with contextlib.closing(_Server(server.place)):
            assert await _ask(client, b"word") == b"drow"
