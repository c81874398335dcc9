"""Where remote log drivers send to: an address, and the connection that is made when needed.

Owns one socket. Blocking, with time-outs; a send that fails closes the connection, and the next
one connects anew. Nothing is buffered here: who could not send keeps what was to be sent.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from naru.errors import InvalidInputError

_CONNECT_TIMEOUT_S: Final = 5.0
_SEND_TIMEOUT_S: Final = 10.0
_DATAGRAMS: Final = ("udp", "unixgram")
_SCHEMES: Final = ("tcp", "tcp+tls", "udp", "unix", "unixgram")


@dataclass(frozen=True, slots=True)
class Address:
    """A transport, and either a host with a port or a path."""

    scheme: str
    host: str = ""
    port: int = 0
    path: str = ""

    @property
    def keeps_messages_apart(self) -> bool:
        return self.scheme in _DATAGRAMS


def parse_address(option: str, text: str, *, default_port: int = 0) -> Address:
    """Read `tcp://host:port` or `unix:///path`; a port of 0 must be given.

    Raises:
        InvalidInputError: it is no such address.
    """
    parts = urlsplit(text)
    if "://" not in text or parts.scheme not in _SCHEMES:
        raise InvalidInputError(f"{option} should be in form proto://address, got {text}")
    if parts.scheme in ("unix", "unixgram"):
        return Address(parts.scheme, path=parts.path)
    try:
        port = parts.port
    except ValueError as error:
        raise InvalidInputError(f"invalid {option} {text}: {error}") from error
    if not parts.hostname or not (port or default_port):
        raise InvalidInputError(f"invalid {option} {text}: expected {parts.scheme}://HOST:PORT")
    return Address(parts.scheme, parts.hostname, port or default_port)


class Endpoint:
    """A connection to one of several addresses: the first that answers."""

    def __init__(
        self, addresses: Iterable[Address], context: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        """Remember where to connect; `context` is asked when a connection needs TLS."""
        self._addresses = tuple(addresses)
        self._context = context
        self._socket: socket.socket | None = None

    def send(self, message: bytes) -> None:
        """Send one message, whole.

        Raises:
            OSError: it was not sent, or perhaps in part.
        """
        try:
            if self._socket is not None and _is_gone(self._socket):
                self.close()
            if self._socket is None:
                self._socket = self._connect()
            self._socket.sendall(message)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect. Idempotent."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.close()
            self._socket = None

    def _connect(self) -> socket.socket:
        failure: OSError = ConnectionRefusedError("nobody listens")
        for address in self._addresses:
            try:
                return self._connect_to(address)
            except OSError as error:
                failure = error
        raise failure

    def _connect_to(self, address: Address) -> socket.socket:
        if address.scheme in ("unix", "unixgram"):
            kind = socket.SOCK_STREAM if address.scheme == "unix" else socket.SOCK_DGRAM
            connection = socket.socket(socket.AF_UNIX, kind)
            try:
                connection.settimeout(_CONNECT_TIMEOUT_S)
                connection.connect(address.path)
            except BaseException:
                connection.close()
                raise
        elif address.scheme == "udp":
            connection = _udp(address)
        else:
            connection = socket.create_connection(
                (address.host, address.port), timeout=_CONNECT_TIMEOUT_S
            )
        if address.scheme == "tcp+tls":
            connection = self._encrypted(connection, address.host)
        connection.settimeout(_SEND_TIMEOUT_S)
        return connection

    def _encrypted(self, connection: socket.socket, host: str) -> socket.socket:
        try:
            context = self._context() if self._context else ssl.create_default_context()
            return context.wrap_socket(connection, server_hostname=host)
        except BaseException:
            connection.close()
            raise


def _is_gone(connection: socket.socket) -> bool:
    """Say whether the other side has hung up: what is sent then is lost without a word."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    return bool(poll.poll(0))


def _udp(address: Address) -> socket.socket:
    failure: OSError = OSError(f"no address of {address.host}")
    for family, kind, protocol, _, where in socket.getaddrinfo(
        address.host, address.port, type=socket.SOCK_DGRAM
    ):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.connect(where)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure
