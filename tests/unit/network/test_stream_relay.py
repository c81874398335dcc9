"""Connections that are carried on: every byte, each end by itself, and nothing kept of the dead."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from naru.network.relay_room import Room
from naru.network.stream_relay import StreamRelay, new_piece

_BIG = os.urandom(1 << 20) * 6
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Stand:
    """A relay to a server of the test's own."""

    relay: StreamRelay
    listener: socket.socket
    room: Room
    size: int

    async def connect(self) -> Streams:
        """Connect to what is relayed."""
        return await asyncio.open_connection(*self.listener.getsockname()[:2])

    async def is_empty(self) -> None:
        """Wait until nothing is held for anybody."""
        async with asyncio.timeout(10):
            while not self.room.take(self.size):
                await asyncio.sleep(0.01)
        self.room.give_back(self.size)


Start = Callable[..., Awaitable[Stand]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Give a function that starts a server and a relay to it; both end with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def started(serve: Serve | None, *, size: int = 64, look_s: float = 0.05) -> Stand:
            target = ("127.0.0.1", 1)
            if serve is not None:
                server = await asyncio.start_server(serve, "127.0.0.1", 0)
                stack.callback(server.close)
                target = server.sockets[0].getsockname()
            listener = socket.create_server(("::1", 0), family=socket.AF_INET6)
            stack.callback(listener.close)
            room = Room(size)
            relay = StreamRelay(listener, target, room, new_piece(), look_s)
            relay.begin()
            stack.callback(relay.end)
            return Stand(relay, listener, room, size)

        yield started


def _reset(one: socket.socket) -> None:
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def _echo_after_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write((await reader.read())[::-1])
    writer.write_eof()
    await writer.drain()
    writer.close()


async def test_what_is_sent_comes_back_after_the_clients_end(start: Start) -> None:
    stand = await start(_echo_after_the_end)
    reader, writer = await stand.connect()
    writer.write(_BIG)
    writer.write_eof()
    assert await reader.read() == _BIG[::-1]
    writer.close()
    await stand.is_empty()


async def test_the_servers_end_leaves_the_other_direction_open(start: Start) -> None:
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"that is all")
        writer.write_eof()
        # What has come, and the end after it, waits in the kernel while connections are looked at.
        await asyncio.sleep(0.3)
        heard.set_result(await reader.read())
        writer.close()

    stand = await start(serve, look_s=0.01)
    reader, writer = await stand.connect()
    assert await reader.read() == b"that is all"
    writer.write(_BIG)
    writer.write_eof()
    assert await heard == _BIG
    writer.close()
    await stand.is_empty()


async def test_who_does_not_read_holds_the_sender_up_and_not_the_memory(start: Start) -> None:
    sent = 0

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        with contextlib.suppress(OSError):
            while True:
                writer.write(_BIG)
                await writer.drain()
                sent += len(_BIG)

    stand = await start(serve)
    tracemalloc.start()
    try:
        clients = [await stand.connect() for _ in range(4)]
        while True:
            before = sent
            await asyncio.sleep(0.3)
            if before == sent:
                break
        held = tracemalloc.take_snapshot().filter_traces([
            tracemalloc.Filter(True, "*/stream_relay.py")
        ])  # fmt: skip
        assert sum(trace.size for trace in held.traces) < 4 * (70 << 10)
    finally:
        tracemalloc.stop()
    for _, writer in clients:
        writer.close()
    await stand.is_empty()


async def test_a_server_that_cuts_off_cuts_the_client_off(start: Start) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _reset(writer.get_extra_info("socket"))
        writer.close()

    stand = await start(serve)
    reader, writer = await stand.connect()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    await stand.is_empty()


async def test_where_nobody_listens_a_client_is_reset(start: Start) -> None:
    stand = await start(None)
    reader, writer = await stand.connect()
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()
    await stand.is_empty()


async def test_a_client_that_dies_after_its_end_is_found_out(start: Start) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        await asyncio.sleep(60)
        writer.close()

    stand = await start(serve)
    client = socket.create_connection(stand.listener.getsockname()[:2])
    client.shutdown(socket.SHUT_WR)
    await asyncio.sleep(0.05)
    _reset(client)
    client.close()
    await stand.is_empty()


async def test_who_comes_when_all_room_is_taken_waits_for_some(start: Start) -> None:
    stand = await start(_echo_after_the_end, size=4)
    first, second, third = [await stand.connect() for _ in range(3)]
    third[1].write(b"third")
    third[1].write_eof()
    answer = asyncio.ensure_future(third[0].read())
    await asyncio.sleep(0.1)
    assert not answer.done()
    first[1].write_eof()
    assert await first[0].read() == b""
    assert await answer == b"driht"
    for _, writer in (first, second, third):
        writer.close()
    await stand.is_empty()


async def test_the_end_cuts_all_off_and_the_listener_stays(start: Start) -> None:
    stand = await start(_echo_after_the_end)
    reader, writer = await stand.connect()
    writer.write(b"x")
    await asyncio.sleep(0.05)
    stand.relay.end()
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()
    await stand.is_empty()
    assert stand.listener.fileno() >= 0
