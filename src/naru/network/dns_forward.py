"""Asking other name servers what no network of ours knows. Loop only.

Each question has a socket of its own, connected to one server, with a port and a number drawn
by chance: nobody else can answer it. A server that does not answer costs one patience, and is
asked last for a while.

Spec: RFC 1035 §4.2, RFC 5452; Docker asks three servers at most, one after the other.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import struct
from collections.abc import Sequence

_PORT = 53
_PATIENCE_S = 2.0
_MISTRUST_S = 30.0
_MOST_SERVERS = 3
_HEADER_SIZE = 12
_LENGTH = struct.Struct("!H")
_SERVFAIL, _REFUSED = 2, 5


class Forwarder:
    """Asks name servers, and remembers which of them do not answer."""

    def __init__(self) -> None:
        self._silent_until: dict[str, float] = {}

    async def ask(self, query: bytes, servers: Sequence[str], *, over_tcp: bool) -> bytes | None:
        """Return the first useful answer, with the number of `query`; None if there is none."""
        last = None
        for server in self._in_order(servers):
            reply = await self._ask_one(query, server, over_tcp=over_tcp)
            if reply is None:
                continue
            last = reply
            if reply[3] & 0x0F not in (_SERVFAIL, _REFUSED):
                return reply
        return last

    def _in_order(self, servers: Sequence[str]) -> list[str]:
        now = asyncio.get_running_loop().time()
        return sorted(
            servers[:_MOST_SERVERS], key=lambda server: self._silent_until.get(server, 0) > now
        )

    async def _ask_one(self, query: bytes, server: str, *, over_tcp: bool) -> bytes | None:
        number = secrets.token_bytes(2)
        ask = _ask_tcp if over_tcp else _ask_udp
        try:
            async with asyncio.timeout(_PATIENCE_S):
                reply = await ask(number + query[2:], server)
        except (TimeoutError, OSError, EOFError):
            loop = asyncio.get_running_loop()
            self._silent_until[server] = loop.time() + _MISTRUST_S
            return None
        self._silent_until.pop(server, None)
        return query[:2] + reply[2:]


class _OneAnswer(asyncio.DatagramProtocol):
    """Waits for the answer with one number; others are not for us."""

    def __init__(self, number: bytes) -> None:
        self._number = number
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _address: object) -> None:
        if _is_answer(data, self._number) and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


def _is_answer(data: bytes, number: bytes) -> bool:
    return len(data) >= _HEADER_SIZE and data[:2] == number and bool(data[2] & 0x80)


async def _ask_udp(query: bytes, server: str) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: _OneAnswer(query[:2]), remote_addr=(server, _PORT)
    )
    try:
        transport.sendto(query)
        return await protocol.answer
    finally:
        transport.close()
        protocol.answer.cancel()


async def _ask_tcp(query: bytes, server: str) -> bytes:
    reader, writer = await asyncio.open_connection(server, _PORT)
    try:
        writer.write(_LENGTH.pack(len(query)) + query)
        reply = await read_message(reader)
        if not _is_answer(reply, query[:2]):
            raise EOFError("an answer to something else")
        return reply
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def read_message(reader: asyncio.StreamReader) -> bytes:
    """Return the next message of a TCP connection.

    Raises:
        EOFError: the other side ended it.
    """
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    return await reader.readexactly(length)


def framed(message: bytes) -> bytes:
    """Return a message as TCP carries it."""
    return _LENGTH.pack(len(message)) + message
