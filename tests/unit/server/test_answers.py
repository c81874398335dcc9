"""Streams of answers: what an error becomes before and behind the first byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from naru.errors import FaultError, NotFoundError
from naru.server.answers import byte_stream, json_stream, stops_with_client

from .conftest import Served


async def ask(served: Served, path: str) -> tuple[int, bytes]:
    reader, writer = await served.connect()
    writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
    head, _, body = (await asyncio.wait_for(reader.read(), 5)).partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def records(count: int, error: Exception | None = None) -> AsyncIterator[dict[str, Any]]:
    async def generate() -> AsyncIterator[dict[str, Any]]:
        for number in range(count):
            yield {"n": number}
        if error is not None:
            raise error

    return generate()


@pytest.mark.parametrize(
    ("count", "error", "refuses", "status", "last"),
    [
        (2, None, True, 200, {"n": 1}),
        (0, NotFoundError("no x"), True, 404, {"message": "no x"}),
        (0, NotFoundError("no", hint="try y"), True, 404, {"message": "no", "hint": "try y"}),
        (
            0,
            NotFoundError("no x"),
            False,
            200,
            {"errorDetail": {"message": "no x"}, "error": "no x"},
        ),
        (
            1,
            FaultError("late", hint="wait"),
            True,
            200,
            {"errorDetail": {"message": "late", "hint": "wait"}, "error": "late"},
        ),
        (1, FaultError("late"), True, 200, {"errorDetail": {"message": "late"}, "error": "late"}),
        (0, ValueError("bug"), True, 500, None),
    ],
)
async def test_errors_of_record_streams(
    served: Served,
    count: int,
    error: Exception | None,
    refuses: bool,
    status: int,
    last: dict[str, Any] | None,
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await json_stream(request, records(count, error), refuses=refuses)

    served.add("GET", "/records", handler, streams=True)
    await served.start()
    found, body = await ask(served, "/records")
    assert found == status
    if last is not None:
        assert json.loads(body.splitlines()[-1]) == last
    else:
        assert b"bug" not in body
        assert b"incident" in body


async def test_a_bug_behind_the_head_breaks_the_answer_off(served: Served) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return await json_stream(request, records(1, ValueError("bug")))

    served.add("GET", "/records", handler, streams=True)
    await served.start()
    reader, writer = await served.connect()
    writer.write(b"GET /records HTTP/1.1\r\nHost: d\r\n\r\n")
    answer = await asyncio.wait_for(reader.read(), 5)
    assert b'{"n":0}' in answer
    assert b"500" not in answer
    assert not answer.endswith(b"0\r\n\r\n"), "the answer looks whole"


async def test_bytes_end_with_their_last_words(served: Served) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        async def blocks() -> AsyncIterator[bytes]:
            yield b"one "
            raise FaultError("disk on fire")

        return await byte_stream(
            request, blocks(), "text/x", last_words=lambda error: error.message.encode()
        )

    served.add("GET", "/bytes", handler, streams=True)
    await served.start()
    assert await ask(served, "/bytes") == (200, b"one disk on fire")


async def test_a_source_is_closed_when_its_client_goes(served: Served) -> None:
    closed = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        async def blocks() -> AsyncIterator[bytes]:
            try:
                yield b"begun"
                await asyncio.Event().wait()
            finally:
                closed.set()

        return await byte_stream(request, blocks(), "text/x", last_words=lambda _: b"")

    stops_with_client(handler)
    served.add("GET", "/bytes", handler, streams=True)
    await served.start()
    reader, writer = await served.connect()
    writer.write(b"GET /bytes HTTP/1.1\r\nHost: d\r\n\r\n")
    await asyncio.wait_for(reader.readuntil(b"begun"), 5)
    writer.transport.abort()
    await asyncio.wait_for(closed.wait(), 5)


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/nothing", 404, "page not found"),
        ("/containers/c/attach", 404, "page not found"),
        (
            "/v1.99/_ping",
            400,
            "client version 1.99 is too new. Maximum supported API version is 1.50",
        ),
        ("/v1.99/nothing", 404, "page not found"),
    ],
)
async def test_what_is_not_served_is_said_in_dockers_words(
    served: Served, path: str, status: int, message: str
) -> None:
    await served.start()
    found, body = await ask(served, path)
    assert (found, json.loads(body)) == (status, {"message": message})
