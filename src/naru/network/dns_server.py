"""One container's name server at 127.0.0.11. Made by any thread, served by the resolver's loop.

Its sockets are in the container's network namespace, on a port that few others use; rules in
there lead port 53 to them, so that the container may bind port 53 itself, as in Docker.

Spec: nft(8); Docker's embedded DNS.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dns.message import Message

from naru.aio import TaskSet
from naru.linux import nftables
from naru.linux.namespaces import in_netns
from naru.network import dns_answers
from naru.network.dns_forward import Forwarder, framed, read_message
from naru.network.dns_zone import Zone
from naru.network.etc_files import EMBEDDED_SERVER

_TABLE = "naru_dns"
_BATCH = 32
_LARGEST = 65535
_BACKLOG = 16
# Of one container: questions that wait for other servers, and connections.
_MOST_WAITING = 128
_MOST_CONNECTIONS = 16
_IDLE_S = 10.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Sockets:
    """The two sockets of one sandbox's name server."""

    udp: socket.socket
    tcp: socket.socket

    def close(self) -> None:
        """Close both. Idempotent."""
        self.udp.close()
        self.tcp.close()


def open_sockets(netns_path: Path, port: int) -> Sockets:
    """Open a name server's sockets in a namespace, and lead port 53 to them. Blocking, 1 ms.

    They replace those of an earlier engine, which have gone with it. With the same `port` as
    those had, clients that ask from one socket all the time notice nothing: the kernel sends
    what it has seen once where it went before. If the container has it, another one must do.

    Raises:
        FaultError: the namespace is gone, or the kernel refused.
        OSError: a socket cannot be made.
    """

    def inside() -> Sockets:
        sockets = Sockets(
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
            socket.socket(socket.AF_INET, socket.SOCK_STREAM),
        )
        try:
            for one in (sockets.udp, sockets.tcp):
                one.setblocking(False)
                _bind(one, port)
            sockets.tcp.listen(_BACKLOG)
            nftables.run_here(_rules(sockets.udp.getsockname()[1], sockets.tcp.getsockname()[1]))
        except BaseException:
            sockets.close()
            raise
        return sockets

    return in_netns(netns_path, inside)


def _bind(one: socket.socket, port: int) -> None:
    try:
        one.bind((EMBEDDED_SERVER, port))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        one.bind((EMBEDDED_SERVER, 0))


def _rules(udp_port: int, tcp_port: int) -> str:
    rules = "".join(
        f"add rule ip {_TABLE} output ip daddr {EMBEDDED_SERVER} {protocol} dport 53 "
        f"dnat to {EMBEDDED_SERVER}:{port}\n"
        for protocol, port in (("udp", udp_port), ("tcp", tcp_port))
    )
    return (
        f"add table ip {_TABLE}\nflush table ip {_TABLE}\n"
        f"add chain ip {_TABLE} output {{ type nat hook output priority -100; }}\n{rules}"
    )


class NameServer:
    """Answers one container's questions. All but the constructor: loop only."""

    def __init__(
        self,
        sockets: Sockets,
        zone: Callable[[], Zone],
        upstreams: Callable[[], Sequence[str]],
        forwarder: Forwarder,
    ) -> None:
        """Serve `sockets`; `zone` and `upstreams` are asked anew for each question."""
        self._sockets = sockets
        self._zone = zone
        self._upstreams = upstreams
        self._forwarder = forwarder
        self._tasks = TaskSet("dns")
        self._waiting = 0
        self._connections = 0

    def begin(self) -> None:
        """Start to answer."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._sockets.udp, self._read)
        loop.add_reader(self._sockets.tcp, self._accept)

    def end(self) -> None:
        """Stop to answer, and let go of the container's namespace. Idempotent."""
        loop = asyncio.get_running_loop()
        for one in (self._sockets.udp, self._sockets.tcp):
            if one.fileno() >= 0:
                loop.remove_reader(one)
        self._sockets.close()
        self._tasks.cancel()

    async def close(self) -> None:
        """End, and return when nothing of it runs any more."""
        self.end()
        await self._tasks.close()

    # Datagrams.

    def _read(self) -> None:
        # So many at once, lest a container that asks without end keeps others waiting.
        for _ in range(_BATCH):
            try:
                data, address = self._sockets.udp.recvfrom(_LARGEST)
            except OSError:
                return
            self._answer(data, address)

    def _answer(self, data: bytes, address: tuple[str, int]) -> None:
        query = dns_answers.parse_query(data)
        if query is None:
            if (reply := dns_answers.malformed(data)) is not None:
                self._send(reply, address)
            return
        response = dns_answers.answer(query, self._zone())
        if response is None and self._waiting < _MOST_WAITING and self._upstreams():
            self._waiting += 1
            self._tasks.start(self._forward(data, query, address), name="forward")
            return
        response = response or dns_answers.failure(query)
        self._send(dns_answers.datagram(response, query), address)

    async def _forward(self, data: bytes, query: Message, address: tuple[str, int]) -> None:
        try:
            reply = await self._forwarder.ask(data, self._upstreams(), over_tcp=False)
        finally:
            self._waiting -= 1
        if reply is None:
            reply = dns_answers.datagram(dns_answers.failure(query), query)
        self._send(reply, address)

    def _send(self, reply: bytes, address: tuple[str, int]) -> None:
        # A client that is gone, or does not read, goes without.
        with contextlib.suppress(OSError):
            self._sockets.udp.sendto(reply, address)

    # Connections.

    def _accept(self) -> None:
        try:
            connection, _ = self._sockets.tcp.accept()
        except OSError:
            return
        if self._connections >= _MOST_CONNECTIONS:
            connection.close()
            return
        connection.setblocking(False)
        self._connections += 1
        self._tasks.start(self._serve(connection), name="connection")

    async def _serve(self, connection: socket.socket) -> None:
        try:
            reader, writer = await asyncio.open_connection(sock=connection)
            with contextlib.suppress(TimeoutError, OSError, EOFError):
                while True:
                    async with asyncio.timeout(_IDLE_S):
                        data = await read_message(reader)
                    reply = await self._reply(data)
                    if reply is None:
                        break
                    writer.write(framed(reply))
                    async with asyncio.timeout(_IDLE_S):
                        await writer.drain()
            writer.close()
        finally:
            self._connections -= 1
            connection.close()

    async def _reply(self, data: bytes) -> bytes | None:
        query = dns_answers.parse_query(data)
        if query is None:
            return dns_answers.malformed(data)
        response = dns_answers.answer(query, self._zone())
        if response is None:
            reply = await self._forwarder.ask(data, self._upstreams(), over_tcp=True)
            if reply is not None:
                return reply
        return (response or dns_answers.failure(query)).to_wire()
