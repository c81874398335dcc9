"""Bytes to and from the engine: dialling, and HTTP/1.1 responses read off a socket."""

from __future__ import annotations

import _socket
import os
import select

from naru.errors import FaultError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Protocol

    from naru.client.endpoint import Endpoint

    class ByteStream(Protocol):
        """A connected stream: a plain socket, or TLS around one."""

        def recv(self, size: int, /) -> bytes: ...
        def sendall(self, data: bytes, /) -> None: ...
        def shutdown(self, how: int, /) -> None: ...
        def close(self) -> None: ...
        def fileno(self) -> int: ...


_CHUNK = 1 << 16
_MAX_HEAD = 1 << 18
_MAX_LINE = 1 << 16


def dial(endpoint: Endpoint) -> ByteStream:
    """Connect to the engine.

    Raises:
        UnavailableError: nothing listens there, in Docker's words. Over ssh, reading says so.
    """
    if endpoint.scheme == "ssh":
        from naru.client.ssh import dial_ssh

        return dial_ssh(endpoint)
    try:
        if isinstance(endpoint.address, str):
            sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM | _socket.SOCK_CLOEXEC)
            _connect(sock, _unix_address(endpoint.address))
        else:
            sock = _dial_tcp(*endpoint.address)
    except PermissionError as error:
        raise UnavailableError(
            "permission denied while trying to connect to the Docker daemon socket at "
            f"{endpoint.host}: dial {endpoint.scheme} {endpoint.path}: connect: permission denied",
            hint="the socket is for root, and for members of the group that it belongs to",
        ) from error
    except _socket.gaierror as error:
        name = endpoint.address[0]
        raise UnavailableError(
            f"error during connect: dial tcp: lookup {name}: no such host"
        ) from error
    except OSError as error:
        raise UnavailableError(
            f"Cannot connect to the Docker daemon at {endpoint.host}. Is the docker daemon running?",
            # Whoever names a host knows what runs there.
            hint="the engine is narud, which root starts" if endpoint.is_default else "",
        ) from error
    if endpoint.tls is None:
        return sock
    from naru.client.tls import wrap

    return wrap(sock, endpoint)


def _connect(sock: _socket.socket, address: str | tuple[object, ...]) -> None:
    try:
        sock.connect(address)
    except BaseException:
        sock.close()
        raise


def _unix_address(path: str) -> str:
    """Shorten a path past the kernel's 108 bytes by way of its directory."""
    if len(os.fsencode(path)) < 108:
        return path
    # The descriptor stays open: it lives as long as the short command that dials.
    folder = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    return f"/proc/self/fd/{folder}/{os.path.basename(path)}"


def _dial_tcp(name: str, port: int) -> _socket.socket:
    failure: OSError = OSError("no address")
    for family, kind, protocol, _, address in _socket.getaddrinfo(
        name, port, 0, _socket.SOCK_STREAM
    ):
        sock = _socket.socket(family, kind | _socket.SOCK_CLOEXEC, protocol)
        try:
            _connect(sock, address)
        except OSError as error:
            failure = error
            continue
        sock.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
        return sock
    raise failure


class BrokenConnectionError(Exception):
    """The engine closed the connection before it answered anything."""


class Reader:
    """Buffered reading of a byte stream."""

    __slots__ = ("_buffer", "stream")

    def __init__(self, stream: ByteStream) -> None:
        self.stream = stream
        self._buffer = b""

    def some(self, limit: int = _CHUNK) -> bytes:
        """Return at least one byte, or b"" at the end of the stream."""
        if not self._buffer:
            try:
                return self.stream.recv(limit)
            except ConnectionResetError:
                return b""
        data, self._buffer = self._buffer[:limit], self._buffer[limit:]
        return data

    def has_some(self) -> bool:
        """Say whether `some` would return at once; never over TLS, where that is not known."""
        if self._buffer:
            return True
        is_plain = isinstance(self.stream, _socket.socket)
        return is_plain and bool(select.select([self.stream], [], [], 0)[0])

    def exactly(self, size: int) -> bytes:
        """Return `size` bytes.

        Raises:
            FaultError: the stream ended before them.
        """
        parts: list[bytes] = []
        while size:
            data = self.some(size)
            if not data:
                raise FaultError("unexpected EOF")
            parts.append(data)
            size -= len(data)
        return b"".join(parts)

    def until(self, mark: bytes, limit: int) -> bytes:
        """Return what comes up to and with `mark`; b"" when the stream ends before any byte.

        Raises:
            FaultError: the stream ended in the middle, or `mark` is not within `limit`.
        """
        while (position := self._buffer.find(mark)) < 0:
            if len(self._buffer) > limit:
                raise FaultError("malformed HTTP response")
            try:
                data = self.stream.recv(_CHUNK)
            except ConnectionResetError:
                data = b""
            if not data:
                if self._buffer:
                    raise FaultError("unexpected EOF")
                return b""
            self._buffer += data
        end = position + len(mark)
        found, self._buffer = self._buffer[:end], self._buffer[end:]
        return found

    def rest(self) -> bytes:
        """Take what was read ahead, leaving nothing."""
        data, self._buffer = self._buffer, b""
        return data


class Response:
    """One HTTP response: `status`, `headers` (names in lower case) and the body to read.

    Read it to its end or `close` it. `on_end` is called once when the body is all read, with
    whether the connection can carry another request.
    """

    def __init__(self, reader: Reader, *, to_head: bool = False) -> None:
        head = reader.until(b"\r\n\r\n", _MAX_HEAD)
        if not head:
            raise BrokenConnectionError
        lines = head[:-4].decode("latin-1").split("\r\n")
        parts = lines[0].split(" ", 2)
        if not parts[0].startswith("HTTP/1.") or len(parts) < 2 or not parts[1].isdigit():
            raise FaultError(f'malformed HTTP response "{lines[0][:80]}"')
        self.reader = reader
        self.status = int(parts[1])
        self.headers: dict[str, str] = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        self._keeps_alive = (
            parts[0] != "HTTP/1.0" and self.headers.get("connection", "").lower() != "close"
        )
        self._left = self._body_length(to_head=to_head)
        self._is_chunked = self._left == _CHUNKED
        if self._is_chunked:
            self._left = 0
        self.is_done = self._left == 0 and not self._is_chunked
        self._ahead: list[bytes] = []

    def read_ahead(self) -> None:
        """Keep for later what has come of the body so far. Something has, or its end."""
        if data := self._next():
            self._ahead.append(data)

    def end_connection(self) -> None:
        """Let no other request follow: this one was not sent to its end."""
        self._keeps_alive = False

    def _body_length(self, *, to_head: bool) -> int:
        if to_head or self.status in (204, 304) or self.status < 200:
            return 0
        if "chunked" in self.headers.get("transfer-encoding", "").lower():
            return _CHUNKED
        length = self.headers.get("content-length")
        if length is None:
            self._keeps_alive = False
            return _UNTIL_CLOSE
        if not length.isdigit():
            raise FaultError(f'bad Content-Length "{length}"')
        return int(length)

    @property
    def can_reuse(self) -> bool:
        """Whether another request may follow on this connection."""
        return self.is_done and not self._ahead and self._keeps_alive

    def some(self, limit: int = _CHUNK) -> bytes:
        """Return the next bytes of the body as they come, or b"" at its end."""
        if self._ahead:
            data, rest = self._ahead[0][:limit], self._ahead[0][limit:]
            self._ahead[:1] = [rest] if rest else []
            return data
        return self._next(limit)

    def _next(self, limit: int = _CHUNK) -> bytes:
        if self.is_done:
            return b""
        if self._is_chunked and not self._left:
            self._left = self._next_chunk_size()
            if not self._left:
                self.is_done = True
                return b""
        if self._left == _UNTIL_CLOSE:
            data = self.reader.some(limit)
            self.is_done = not data
            return data
        data = self.reader.some(min(limit, self._left))
        if not data:
            raise FaultError("unexpected EOF")
        self._left -= len(data)
        if not self._left:
            if self._is_chunked:
                self.reader.exactly(2)
            else:
                self.is_done = True
        return data

    def _next_chunk_size(self) -> int:
        line = self.reader.until(b"\r\n", _MAX_LINE)
        try:
            size = int(line.split(b";", 1)[0].strip() or b"x", 16)
        except ValueError:
            size = -1
        if size < 0:
            raise FaultError("unexpected EOF" if not line else "malformed chunked encoding")
        if size == 0:
            while self.reader.until(b"\r\n", _MAX_LINE) not in (b"\r\n", b""):
                pass
        return size

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes of the body (fewer only at its end), or all that is left."""
        parts: list[bytes] = []
        while size and (data := self.some(_CHUNK if size < 0 else min(size, _CHUNK))):
            parts.append(data)
            if size > 0:
                size -= len(data)
        return b"".join(parts)

    def __iter__(self) -> Iterator[bytes]:
        while data := self.some():
            yield data

    def close(self) -> None:
        """Drop the connection unless the body was read to its end."""
        if not self.can_reuse:
            self.reader.stream.close()


_CHUNKED = -2
_UNTIL_CLOSE = -1


def print_request(method: str, target: str, headers: Mapping[str, str]) -> bytes:
    """Return the head of a request.

    Raises:
        FaultError: a header would break out of its line.
    """
    lines = [f"{method} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line for line in lines):
        raise FaultError("line break in an HTTP header")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", "replace")
