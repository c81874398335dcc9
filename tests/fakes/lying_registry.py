"""A peer on loopback that answers with whatever bytes a test gives it, well-formed or not.

    async with LyingRegistry({"/v2/": answer(200), "/token": endless()}) as registry:
        ... registry.host, registry.requests ...

Paths are looked up by their longest known beginning; what begins with none is answered by 404.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Self

# What TLS begins with; nobody here speaks it.
_HANDSHAKE = b"\x16"
Lie = Callable[[], AsyncIterator[bytes]]


def answer(status: int, body: bytes = b"{}", headers: Iterable[tuple[str, str]] = ()) -> Lie:
    """Return an answer that is well-formed, whatever it says."""
    told = [*headers, ("Content-Length", str(len(body))), ("Connection", "close")]
    head = "".join(f"{name}: {value}\r\n" for name, value in told)

    async def pieces() -> AsyncIterator[bytes]:
        yield f"HTTP/1.1 {status} Told\r\n{head}\r\n".encode() + body

    return pieces


def challenge(words: str) -> Lie:
    """Return what asks for a login."""
    return answer(401, headers=[("WWW-Authenticate", words)])


def endless(piece: bytes = b"a" * 65536) -> Lie:
    """Return an answer whose body never ends."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        while True:
            yield b"%x\r\n%s\r\n" % (len(piece), piece)

    return pieces


def dripping(start: bytes, drop: bytes, *, every_s: float) -> Lie:
    """Return an answer that begins well, and goes on a drop at a time."""

    async def pieces() -> AsyncIterator[bytes]:
        yield start
        while True:
            await asyncio.sleep(every_s)
            yield drop

    return pieces


class LyingRegistry:
    """Answers by `lies`, which may be changed at any time."""

    def __init__(self, lies: dict[str, Lie] | None = None) -> None:
        self.lies = lies or {}
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        """method, path, headers by their names in small letters, body"""
        self.host = ""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.host = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Who speaks TLS, or goes away, is not what these tests are about.
        with contextlib.suppress(ConnectionError, ValueError, asyncio.IncompleteReadError):
            first = await reader.readexactly(1)
            if first == _HANDSHAKE:
                raise ConnectionAbortedError
            line = first + await reader.readuntil(b"\n")
            method, path, _ = line.decode("latin-1").split(" ")
            headers = {}
            while field := (await reader.readuntil(b"\n")).strip():
                name, _, value = field.decode("latin-1").partition(":")
                headers[name.lower()] = value.strip()
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            self.requests.append((method, path, headers, body))
            known = [start for start in self.lies if path.startswith(start)]
            lie = self.lies[max(known, key=len)] if known else answer(404)
            async for piece in lie():
                writer.write(piece)
                await writer.drain()
        writer.close()
