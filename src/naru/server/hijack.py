"""Taking a connection over from HTTP: attach and exec speak raw bytes after the answer's head.

Spec: Engine API 1.50, ContainerAttach, "Hijacking"; the client may ask for an upgrade (101) or
not (200), may close its sending side and go on reading, and may vanish.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

_HIGH_WATER = 1 << 20


class HijackedConnection(asyncio.Protocol):
    """A connection without HTTP: bytes in, bytes out, with back-pressure both ways."""

    def __init__(
        self, transport: asyncio.Transport, received: bytes, before: asyncio.Protocol
    ) -> None:
        self._transport = transport
        self._before = before
        self._received = bytearray(received)
        self._ended = False
        self._lost = False
        self._paused = False
        self._readable = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self.closed = asyncio.Event()
        if received:
            self._readable.set()

    async def read(self) -> bytes:
        """Return what the client sent; nothing at its end, or when it is gone."""
        await self._readable.wait()
        data = bytes(self._received)
        self._received.clear()
        if not self._ended:
            self._readable.clear()
        if self._paused:
            self._paused = False
            self._transport.resume_reading()
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting for a client that reads slowly.

        Raises:
            ConnectionResetError: the client is gone.
        """
        await self._writable.wait()
        if self._lost:
            raise ConnectionResetError("the client has gone")
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until all that was written is with the kernel."""
        await self._writable.wait()

    def close(self) -> None:
        """Send what is left and close. Idempotent."""
        if not self._lost:
            self._transport.close()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._readable.set()
        if len(self._received) > _HIGH_WATER and not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        self._ended = True
        self._readable.set()
        # TLS knows no half-open connections.
        return self._transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._ended = True
        self._readable.set()
        self._writable.set()
        self.closed.set()
        # The HTTP server counts its connections, and must hear that this one is over.
        self._before.connection_lost(exc)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()


class HijackedResponse(web.Response):
    """What a handler returns after it took the connection over: nothing more is sent."""

    async def prepare(self, request: web.BaseRequest) -> None:
        self.force_close()

    async def write_eof(self, data: bytes = b"") -> None:
        return


def wants_upgrade(request: web.Request) -> bool:
    """Say whether the client asked for the raw protocol by name."""
    return request.headers.get("Upgrade", "").lower() == "tcp"


def hijack(request: web.Request, content_type: str) -> HijackedConnection:
    """Answer the head and take the connection. The body must have been read.

    Raises:
        ConnectionResetError: the client is gone already.
    """
    protocol = request.protocol
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    # aiohttp keeps what came after an upgrade request here; it has no public name for it.
    received = protocol._message_tail  # noqa: SLF001
    connection = HijackedConnection(transport, received, protocol)
    transport.set_protocol(connection)
    # A parser that met pipelined input may have stopped the reading.
    transport.resume_reading()
    if wants_upgrade(request):
        head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    else:
        head = "HTTP/1.1 200 OK\r\n"
    transport.write(f"{head}Content-Type: {content_type}\r\n\r\n".encode())
    return connection
