"""A small name server on loopback, that stands for those behind the engine's own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator, Mapping

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


class NameServer:
    """Answers A questions from a table, and notes what it is asked; NXDOMAIN for all else.

    What is called `large.example` takes TCP.
    """

    def __init__(self, address: str, table: Mapping[str, str]) -> None:
        self.address = address
        self.asked: list[str] = []
        self._table = table
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        for one in (self._udp, self._tcp):
            one.bind((address, 53))
        self._tcp.listen(8)
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        """Stop to answer."""
        for one in (self._udp, self._tcp):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _answer(self, data: bytes, *, over_tcp: bool) -> bytes:
        query = dns.message.from_wire(data)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        self.asked.append(name)
        response = dns.message.make_response(query, recursion_available=True)
        if name == "large.example" and not over_tcp:
            response.flags |= dns.flags.TC
        elif name in self._table:
            response.answer.append(
                dns.rrset.from_text(question.name, 60, "IN", "A", self._table[name])
            )
        else:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()

    def _serve_udp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                data, address = self._udp.recvfrom(4096)
                if not data:
                    return
                self._udp.sendto(self._answer(data, over_tcp=False), address)

    def _serve_tcp(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                with connection, connection.makefile("rwb") as stream:
                    length = int.from_bytes(stream.read(2))
                    reply = self._answer(stream.read(length), over_tcp=True)
                    stream.write(len(reply).to_bytes(2) + reply)


@contextlib.contextmanager
def name_server(address: str, table: Mapping[str, str]) -> Iterator[NameServer]:
    """Give a name server at an address of the loopback's."""
    server = NameServer(address, table)
    try:
        yield server
    finally:
        server.close()
