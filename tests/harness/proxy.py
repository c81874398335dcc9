"""An HTTP proxy of one's own, which knows names that nobody else does, and notes what it did."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from harness import web


class Proxy:
    """Tunnels for CONNECT and fetches whole URLs, from addresses by the host that was asked for."""

    def __init__(self, addresses: Mapping[str, str], login: str = "") -> None:
        """Take where hosts with ports really are, and the header that clients must send."""
        self.addresses = dict(addresses)
        self.asked: list[str] = []
        self.login = login
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """Serve for the length of the block."""
        with web.running(self._server):
            yield self

    def target(self, host: str) -> tuple[str, int]:
        """Return where a host is.

        Raises:
            OSError: it is not known.
        """
        if host not in self.addresses:
            raise OSError(f"no such host: {host}")
        name, _, port = self.addresses[host].rpartition(":")
        return name, int(port)


def _handler_for(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_CONNECT(self) -> None:
            self.close_connection = True
            proxy.asked.append(f"CONNECT {self.path}")
            if not self._may():
                return
            try:
                upstream = socket.create_connection(proxy.target(self.path))
            except OSError:
                self.send_error(502)
                return
            self.send_response(200)
            self.end_headers()
            with upstream:
                _pump(self.connection, upstream)

        def do_GET(self) -> None:
            proxy.asked.append(f"{self.command} {self.path}")
            if not self._may():
                return
            parts = urlsplit(self.path)
            try:
                upstream = HTTPConnection(*proxy.target(parts.netloc))
                headers = {"Host": parts.netloc, "Accept": self.headers.get("Accept", "*/*")}
                upstream.request(self.command, f"{parts.path}?{parts.query}", headers=headers)
                answer = upstream.getresponse()
                body = answer.read()
            except OSError:
                self.send_error(502)
                return
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            upstream.close()

        do_HEAD = do_GET

        def _may(self) -> bool:
            if self.headers.get("Proxy-Authorization", "") == proxy.login:
                return True
            self.send_response(407)
            self.send_header("Proxy-Authenticate", "Basic")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return False

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: `asked` is the log."""

    return Handler


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Carry bytes both ways until either side ends."""
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        selector.register(one, selectors.EVENT_READ, other)
        selector.register(other, selectors.EVENT_READ, one)
        while True:
            for key, _ in selector.select():
                assert isinstance(key.fileobj, socket.socket)
                data = key.fileobj.recv(1 << 16)
                if not data:
                    return
                key.data.sendall(data)
