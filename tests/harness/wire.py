"""A small HTTP client for engine sockets, independent of the client that is under test."""

from __future__ import annotations

import http.client
import json
import socket
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlencode

Query = Mapping[str, Any]


@dataclass(frozen=True)
class Response:
    """One answer, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)

    def json(self) -> Any:
        """Return the body as JSON; nothing at all is None."""
        return json.loads(self.body) if self.body.strip() else None

    def json_lines(self) -> list[Any]:
        """Return the records of a JSON stream."""
        return [json.loads(line) for line in self.body.splitlines() if line.strip()]

    @property
    def message(self) -> str:
        """Return the text of an error answer; a connection given up half-way carries it bare."""
        if self.body.startswith(b"{"):
            return str(self.json()["message"])
        return self.body.decode().strip()

    def ok(self, *statuses: int) -> Response:
        """Assert that all went well: a 2xx, or one of `statuses` if any is given."""
        fine = self.status in statuses if statuses else 200 <= self.status < 300
        assert fine, f"status {self.status}: {self.body[:500].decode(errors='replace')}"
        return self


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("docker", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        """Dial the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def target(path: str, query: Query | None, version: str) -> str:
    """Return the request target; values are spelled the way clients do. Tuples are repeated."""
    prefix = f"/v{version}" if version else ""
    words: dict[str, str | list[str]] = {}
    for name, value in (query or {}).items():
        if isinstance(value, bool):
            words[name] = "1" if value else "0"
        elif isinstance(value, (dict, list)):
            words[name] = json.dumps(value)
        elif isinstance(value, tuple):
            words[name] = [str(item) for item in value]
        elif value is not None:
            words[name] = str(value)
    return f"{prefix}{path}" + (f"?{urlencode(words, doseq=True)}" if words else "")


def request(
    socket_path: str,
    method: str,
    path: str,
    body: object = None,
    *,
    query: Query | None = None,
    headers: Mapping[str, str] | None = None,
    version: str = "",
    timeout_s: float = 60,
) -> Response:
    """Make one request over a connection of its own; `body` is bytes, chunks, or JSON's."""
    connection = UnixConnection(socket_path, timeout_s)
    try:
        response = send(connection, method, target(path, query, version), body, headers=headers)
        content = response.read()
        return Response(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
    finally:
        connection.close()


def send(
    connection: http.client.HTTPConnection,
    method: str,
    url: str,
    body: object,
    *,
    headers: Mapping[str, str] | None = None,
) -> http.client.HTTPResponse:
    """Send one request and return the answer, whose body is still to be read."""
    all_headers = dict(headers or {})
    payload: bytes | Iterable[bytes] | None
    chunked = False
    if body is None:
        payload = None
    elif isinstance(body, bytes):
        payload = body
        all_headers.setdefault("Content-Type", "application/x-tar")
    elif isinstance(body, Iterator):
        payload, chunked = body, True
        all_headers.setdefault("Content-Type", "application/x-tar")
        all_headers["Transfer-Encoding"] = "chunked"
    else:
        payload = json.dumps(body).encode()
        all_headers.setdefault("Content-Type", "application/json")
    connection.request(method, url, body=payload, headers=all_headers, encode_chunked=chunked)
    return connection.getresponse()


class Stream:
    """The answer of a request that goes on: read line by line while it comes."""

    def __init__(
        self, socket_path: str, path: str, *, query: Query | None, version: str, timeout_s: float
    ) -> None:
        self._connection = UnixConnection(socket_path, timeout_s)
        self.response = send(self._connection, "GET", target(path, query, version), None)
        self.status = self.response.status

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lines(self) -> Iterator[bytes]:
        """Yield lines as they arrive, without their end."""
        while line := self.response.readline():
            yield line.rstrip(b"\r\n")

    def read(self) -> bytes:
        """Return everything up to the end."""
        return self.response.read()

    def close(self) -> None:
        """Hang up."""
        self.response.close()
        self._connection.close()


class Hijacked:
    """A connection that the engine has handed over: attach, or an exec that was started."""

    def __init__(
        self,
        socket_path: str,
        path: str,
        body: object = None,
        *,
        query: Query | None = None,
        version: str = "",
        timeout_s: float = 100,
        upgrade: bool = True,
    ) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout_s)
        self._socket.connect(socket_path)
        payload = b"" if body is None else json.dumps(body).encode()
        lines = [
            f"POST {target(path, query, version)} HTTP/1.1",
            "Host: docker",
            "Content-Type: application/json",
            f"Content-Length: {len(payload)}",
        ]
        if upgrade:
            lines += ["Connection: Upgrade", "Upgrade: tcp"]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + payload)
        self._buffer = b""
        head = self._read_head()
        self.status = int(head.split(b" ", 2)[1])
        self.headers = {
            name.decode().lower(): value.strip().decode()
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        }

    def _read_head(self) -> bytes:
        while b"\r\n\r\n" not in self._buffer:
            chunk = self._socket.recv(65536)
            assert chunk, f"hung up before the head was complete: {self._buffer!r}"
            self._buffer += chunk
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        return head

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        """Write to the process's stdin."""
        self._socket.sendall(data)

    def close_write(self) -> None:
        """End the process's stdin."""
        self._socket.shutdown(socket.SHUT_WR)

    def read_some(self) -> bytes:
        """Return the next raw bytes, nothing at the end."""
        if self._buffer:
            data, self._buffer = self._buffer, b""
            return data
        try:
            return self._socket.recv(65536)
        except ConnectionResetError:
            return b""

    def read_until(self, word: bytes) -> bytes:
        """Return raw bytes up to and with `word`; what follows stays for later."""
        while word not in self._buffer:
            try:
                chunk = self._socket.recv(65536)
            except TimeoutError:
                chunk = b""
            assert chunk, f"no {word!r} came, only {self._buffer!r}"
            self._buffer += chunk
        end = self._buffer.index(word) + len(word)
        data, self._buffer = self._buffer[:end], self._buffer[end:]
        return data

    def read_all(self) -> bytes:
        """Return raw bytes up to the end."""
        parts = []
        while data := self.read_some():
            parts.append(data)
        return b"".join(parts)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


def split_frames(data: bytes) -> dict[str, bytes]:
    """Return stdout and stderr out of a multiplexed stream."""
    out: dict[int, list[bytes]] = {1: [], 2: []}
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from(">BxxxI", data, at)
        assert kind in out, f"not a frame: {data[at : at + 16]!r}"
        start, at = at + 8, at + 8 + size
        assert at <= len(data), f"frame cut short: {size} announced, {len(data) - start} there"
        out[kind].append(data[start:at])
    return {"stdout": b"".join(out[1]), "stderr": b"".join(out[2])}
