"""An API server with routes of the test's own, on a unix socket."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
import uvloop
from aiohttp import web

from fakes.echo_streams import EchoStreams
from naru.server.answers import stops_with_client
from naru.server.api_server import ApiServer
from naru.server.middleware import add_headers, errors_as_answers
from naru.server.streams import Carrier

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def reading_end(writer: asyncio.StreamWriter) -> asyncio.ReadTransport:
    """Return the side of a connection that a client can stop reading from."""
    return cast("asyncio.ReadTransport", writer.transport)


async def until_held_back(act: Callable[[], Awaitable[None]], *, limit: int) -> int:
    """Repeat `act` until it does not come back, and return how often it did."""
    for count in range(limit):
        try:
            await asyncio.wait_for(act(), 0.3)
        except TimeoutError:
            return count
    return limit


class Served:
    """A server under test: `streams` is what attach connects to."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.streams = EchoStreams()
        self.app = web.Application(middlewares=[errors_as_answers], client_max_size=1 << 20)
        self.app.on_response_prepare.append(add_headers)
        self.server = ApiServer(self.app)
        self.add("POST", "/containers/{name}/attach", self._attach, streams=True)
        self.add("POST", "/exec/{name}/start", self._attach, streams=True)
        self.add("GET", "/_ping", self._ping)
        self.refusal: Exception | None = None
        self._clients: list[asyncio.StreamWriter] = []

    def add(self, method: str, path: str, handler: Handler, *, streams: bool = False) -> None:
        """Add a route, with and without a version."""
        if streams:
            stops_with_client(handler)
        for prefix in ("", r"/v{version:\d+\.\d+}"):
            self.app.router.add_route(method, prefix + path, handler)

    async def start(self, tls: ssl.SSLContext | None = None) -> None:
        """Begin to serve; no route can be added any more."""
        listening = socket.socket(socket.AF_UNIX)
        listening.bind(self.path)
        await self.server.start()
        await self.server.listen(listening, tls)

    async def connect(
        self, *, tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Connect a client."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_unix_connection(
            self.path, ssl=tls, server_hostname=name
        )
        self._clients.append(writer)
        return reader, writer

    async def close(self) -> None:
        """Hang up every client and end the server."""
        for writer in self._clients:
            writer.transport.abort()
        await self.server.close(1)
        await asyncio.sleep(0)

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK")

    async def _attach(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        if self.refusal is not None:
            raise self.refusal
        if body:
            await self.streams.say(1, b"body:" + body + b"\n")
        carrier = Carrier(request, tty=self.streams.tty, api_version=(1, 50))
        return await carrier.carry(self.streams)  # type: ignore[arg-type]  # all of them that it uses


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run everything on the engine's loop, and on the plain one."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    before = _pollers()
    found = Served(tmp_path / "s")
    yield found
    await found.close()
    assert _pollers() == before, "a watch for a hang-up is left"


def _pollers() -> int:
    links = [os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()]
    return sum("eventpoll" in link for link in links)
