"""Speaking to a plugin: one JSON object there, one back, over HTTP on a unix socket or TCP.

Knows nothing of volumes. A plugin is a stranger's program: what it answers is bounded in size and
in time, and may be anything. Blocking; safe for many threads, each call has its own connection.

Spec: Docker, plugin API v1.0 (content type, `Err`, statuses).
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from naru import untrusted_json
from naru.errors import FaultError, UnavailableError, reason_of

_CONTENT_TYPE = "application/vnd.docker.plugins.v1.1+json"
_LARGEST_ANSWER = 16 << 20
_PIECE = 1 << 16
_SHOWN = 200


class PluginRefusedError(FaultError):
    """The plugin was asked, and answered that it will not or cannot."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a plugin listens: at `path`, or else at `host` and `port`, with `tls` or without."""

    path: str = ""
    host: str = ""
    port: int = 0
    tls: ssl.SSLContext | None = None

    def __str__(self) -> str:
        return f"unix://{self.path}" if self.path else f"tcp://{self.host}:{self.port}"


def call(
    address: Address, method: str, body: Mapping[str, object], *, timeout_s: float
) -> dict[str, object]:
    """Ask `Interface.Method` of a plugin and return the object that it answers.

    Raises:
        PluginRefusedError: it answered with an error; the message is its words.
        UnavailableError: it is not there, or does not answer in time.
        FaultError: what it answers is no JSON object, or has no end.
    """
    deadline = time.monotonic() + timeout_s
    connection = _connect(address, timeout_s)
    try:
        connection.connect()
        with _cut_off_at(deadline, connection.sock):
            connection.request(
                "POST",
                f"/{method}",
                msgspec.json.encode(body),
                {"Content-Type": _CONTENT_TYPE, "Accept": _CONTENT_TYPE, "Host": "plugin"},
            )
            # Without a length it is the response that owns the socket.
            with contextlib.closing(connection.getresponse()) as response:
                content = _content(response)
        if time.monotonic() >= deadline:
            # What was cut off may look whole.
            raise TimeoutError
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, TimeoutError) or time.monotonic() >= deadline:
            raise UnavailableError(
                f"{method}: plugin at {address} did not answer within {timeout_s:g} s"
            ) from error
        # Whoever hangs up without a word is an error of both kinds.
        if isinstance(error, http.client.HTTPException):
            raise FaultError(
                f"{method}: plugin at {address} does not speak HTTP: {error!r}"
            ) from error
        raise UnavailableError(
            f"{method}: plugin at {address} cannot be reached: {reason_of(error)}"
        ) from error
    finally:
        connection.close()
    return _answer(method, response.status, content)


@contextlib.contextmanager
def _cut_off_at(deadline: float, connected: socket.socket) -> Iterator[None]:
    """Cut a connection off when its time is up: a socket's timeout begins anew with each byte."""

    def cut() -> None:
        with contextlib.suppress(OSError):
            connected.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(deadline - time.monotonic(), cut)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _answer(method: str, status: int, content: bytes) -> dict[str, object]:
    try:
        answer = untrusted_json.decode(content, type=dict[str, object]) if content.strip() else {}
    except msgspec.MsgspecError as error:
        shown = content[:_SHOWN].decode("utf-8", "replace").strip()
        if status != http.client.OK:
            raise PluginRefusedError(f"{method}: {shown}") from error
        raise FaultError(
            f"{method}: expected a JSON object from the plugin, got {shown!r}"
        ) from error
    problem = answer.get("Err")
    if status != http.client.OK:
        raise PluginRefusedError(f"{method}: {problem or f'the plugin answered with {status}'}")
    if problem:
        # The plugin's words alone, as Docker shows them.
        raise PluginRefusedError(str(problem))
    return answer


def _content(response: http.client.HTTPResponse) -> bytes:
    content = bytearray()
    while piece := response.read1(_PIECE):
        content += piece
        if len(content) > _LARGEST_ANSWER:
            raise FaultError(f"plugin: an answer is longer than {_LARGEST_ANSWER} bytes")
    return bytes(content)


def _connect(address: Address, timeout_s: float) -> http.client.HTTPConnection:
    if address.path:
        return _UnixConnection(address.path, timeout_s)
    if address.tls is not None:
        return http.client.HTTPSConnection(
            address.host, address.port, timeout=timeout_s, context=address.tls
        )
    return http.client.HTTPConnection(address.host, address.port, timeout=timeout_s)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP on a unix socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("plugin", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)
