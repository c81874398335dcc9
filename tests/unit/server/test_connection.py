"""Taken-over connections: nothing lost at the edges, nothing left behind by clients that go."""

from __future__ import annotations

import asyncio
import json
import socket

import pytest
from aiohttp import web

from naru.errors import ConflictError, NotFoundError

from .conftest import Served, reading_end, until_held_back

UPGRADE = b"Connection: Upgrade\r\nUpgrade: tcp\r\n"


def attach(headers: bytes = UPGRADE, body: bytes = b"") -> bytes:
    return (
        b"POST /v1.50/containers/c/attach?stream=1 HTTP/1.1\r\nHost: d\r\n"
        + headers
        + f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )


async def head_of(reader: asyncio.StreamReader) -> str:
    return (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)).decode()


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), 10)


async def test_an_upgrade_is_answered_as_one(served: Served) -> None:
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach())
    head = await head_of(reader)
    assert head.startswith("HTTP/1.1 101 UPGRADED\r\n")
    assert "application/vnd.docker.raw-stream" in head
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"hello"
    writer.close()


async def test_without_upgrade_headers_the_answer_is_200_and_raw(served: Served) -> None:
    served.streams.tty = False
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach(b""))
    head = await head_of(reader)
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "application/vnd.docker.raw-stream" in head
    await served.streams.say(2, b"oops")
    assert await reader.readexactly(12) == b"\x02\0\0\0\0\0\0\x04oops"
    writer.close()


async def test_frames_have_a_content_type_of_their_own(served: Served) -> None:
    served.streams.tty = False
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach())
    assert "application/vnd.docker.multiplexed-stream" in await head_of(reader)
    writer.close()


@pytest.mark.parametrize("headers", [UPGRADE, b""])
@pytest.mark.parametrize("body", [b"", b'{"Tty":true}'])
async def test_input_sent_with_the_request_is_not_lost(
    served: Served, headers: bytes, body: bytes
) -> None:
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach(headers, body) + b"GET / HTTP/1.1\r\n\r\n" + b"\0\xff" * 1000)
    writer.write_eof()
    await head_of(reader)
    expected = b"GET / HTTP/1.1\r\n\r\n" + b"\0\xff" * 1000 + b"bye"
    assert (await rest_of(reader)).removeprefix(b"body:" + body + b"\n") == expected


async def test_a_request_may_come_byte_by_byte(served: Served) -> None:
    await served.start()
    reader, writer = await served.connect()
    for byte in attach(body=b'{"Tty":true}') + b"input":
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    writer.write_eof()
    assert "101 UPGRADED" in await head_of(reader)
    assert await rest_of(reader) == b'body:{"Tty":true}\ninputbye'


async def test_a_kept_connection_may_be_taken_over_later(served: Served) -> None:
    await served.start()
    reader, writer = await served.connect()
    for _ in range(2):
        writer.write(b"GET /v1.41/_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        await head_of(reader)
        assert await reader.readexactly(2) == b"OK"
    writer.write(attach() + b"in")
    await head_of(reader)
    assert await reader.readexactly(2) == b"in"
    writer.close()


async def test_a_refusal_leaves_the_connection_to_http(served: Served) -> None:
    served.refusal = NotFoundError("No such container: c")
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach() + b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
    head = await head_of(reader)
    assert head.startswith("HTTP/1.1 404 ")
    length = int(head.split("Content-Length: ")[1].split("\r\n")[0])
    body = await reader.readexactly(length)
    assert json.loads(body) == {"message": "No such container: c"}
    assert (await head_of(reader)).startswith("HTTP/1.1 200 OK")
    writer.close()


async def test_output_goes_on_when_the_client_ends_its_input(served: Served) -> None:
    served.streams.ends_with_stdin = False
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach())
    await head_of(reader)
    writer.write_eof()
    await asyncio.wait_for(served.streams.stdin_ended.wait(), 5)
    await served.streams.say(1, b"later")
    assert await reader.readexactly(5) == b"later"
    assert not served.streams.closed.is_set()
    await served.streams.end()
    assert await rest_of(reader) == b""


@pytest.mark.parametrize("ends_input_first", [False, True])
async def test_a_client_that_vanishes_is_noticed(served: Served, ends_input_first: bool) -> None:
    served.streams.ends_with_stdin = False
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach())
    await head_of(reader)
    if ends_input_first:
        writer.write_eof()
        await asyncio.wait_for(served.streams.stdin_ended.wait(), 5)
    writer.transport.abort()
    await asyncio.wait_for(served.streams.closed.wait(), 5)


async def test_a_slow_reader_holds_the_output_back(served: Served) -> None:
    await served.start()
    reader, writer = await served.connect()
    reading_end(writer).pause_reading()
    writer.write(attach())
    block = b"x" * (64 << 10)
    sent = await until_held_back(lambda: served.streams.say(1, block), limit=2000)
    assert sent < 200, "the output piles up in memory"
    reading_end(writer).resume_reading()
    await served.streams.end()
    await head_of(reader)
    assert len(await rest_of(reader)) == sent * len(block)


async def test_much_input_to_a_slow_process_holds_the_client_back(served: Served) -> None:
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach())
    await head_of(reader)
    block = b"y" * (1 << 20)
    # The echo is not read, so the process stops reading too.
    reading_end(writer).pause_reading()

    async def send() -> None:
        writer.write(block)
        await writer.drain()

    sent = await until_held_back(send, limit=300)
    assert sent < 100, "the input piles up in memory"
    reading_end(writer).resume_reading()
    writer.write_eof()
    received = await rest_of(reader)
    assert len(received) == (sent + 1) * len(block) + len(b"bye")


async def test_a_half_closed_client_gets_its_answer(served: Served) -> None:
    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return web.Response(text="done")

    served.add("POST", "/slow", slow)
    await served.start()
    for _ in range(2):
        reader, writer = await served.connect()
        writer.write(b"POST /slow HTTP/1.1\r\nHost: d\r\n\r\n" * 2)
        writer.write_eof()
        answers = await rest_of(reader)
        assert answers.count(b"HTTP/1.1 200 OK") == 2


async def test_half_a_body_is_no_request(served: Served) -> None:
    seen: list[str] = []

    async def take(request: web.Request) -> web.Response:
        try:
            await request.read()
        except Exception as error:
            seen.append(type(error).__name__)
            raise
        return web.Response()

    served.add("POST", "/take", take)
    await served.start()
    reader, writer = await served.connect()
    writer.write(b"POST /take HTTP/1.1\r\nHost: d\r\nContent-Length: 100\r\n\r\nhalf")
    writer.write_eof()
    assert b"200 OK" not in await rest_of(reader)
    assert seen == ["ConnectionResetError"]


async def test_streams_end_with_their_client_and_changes_do_not(served: Served) -> None:
    ended: asyncio.Event = asyncio.Event()
    finished: asyncio.Event = asyncio.Event()

    async def follow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return response

    async def change(_: web.Request) -> web.Response:
        await asyncio.sleep(0.2)
        finished.set()
        return web.Response()

    served.add("GET", "/follow", follow, streams=True)
    served.add("POST", "/change", change)
    await served.start()
    for request in (b"GET /follow", b"POST /change"):
        reader, writer = await served.connect()
        writer.write(request + b" HTTP/1.1\r\nHost: d\r\n\r\n")
        if b"follow" in request:
            await head_of(reader)
        await asyncio.sleep(0.05)
        writer.transport.abort()
    await asyncio.wait_for(ended.wait(), 5)
    await asyncio.wait_for(finished.wait(), 5)


async def test_closing_ends_streams_at_once_and_lets_changes_finish(served: Served) -> None:
    async def change(_: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response(text="changed")

    served.add("POST", "/change", change)
    await served.start()
    attached, attached_writer = await served.connect()
    attached_writer.write(attach())
    await head_of(attached)
    idle, _ = await served.connect()
    changing, changing_writer = await served.connect()
    changing_writer.write(b"POST /change HTTP/1.1\r\nHost: d\r\n\r\n")
    await asyncio.sleep(0.05)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    await served.server.close(5)
    assert loop.time() - begun < 2
    assert b"changed" in await rest_of(changing)
    assert await rest_of(attached) == b""
    assert await rest_of(idle) == b""
    assert served.streams.closed.is_set()


async def test_many_clients_come_and_go(served: Served) -> None:
    await served.start()

    async def one(number: int) -> None:
        reader, writer = await served.connect()
        writer.write(b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n")
        if number % 3:
            await head_of(reader)
        writer.transport.abort()

    await asyncio.gather(*(one(number) for number in range(100)))
    reader, writer = await served.connect()
    writer.write(b"GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
    assert (await rest_of(reader)).endswith(b"OK")
    writer.close()


async def test_what_is_no_http_is_refused(served: Served) -> None:
    await served.start()
    reader, writer = await served.connect()
    writer.write(b"\x16\x03\x01\x02\x00\x01\x00 is no HTTP\r\n\r\n")
    assert (await rest_of(reader)).startswith(b"HTTP/1.")
    writer.close()


async def test_conflicts_become_409(served: Served) -> None:
    served.refusal = ConflictError("is paused")
    await served.start()
    reader, writer = await served.connect()
    writer.write(attach(b"Connection: close\r\n"))
    assert b"409 Conflict" in (await rest_of(reader)).splitlines()[0]
    writer.close()


def test_sockets_have_a_limit() -> None:
    """The path limit that the listener checks is the kernel's."""
    with socket.socket(socket.AF_UNIX) as found, pytest.raises(OSError, match="too long"):
        found.bind("/tmp/" + "x" * 103)
