"""An engine that runs nothing: it answers what a client must have, and keeps what was asked.

Two clients that are given the same words must ask the same; this is where they are compared.
"""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

CONTAINER_ID = "c" * 64


@dataclass
class Asked:
    """One request: `path` without the version, `query` as it came."""

    method: str
    path: str
    query: str
    body: Any


@dataclass
class RecordingEngine:
    """Serves until closed; `asked` grows. `said` are answers by path, in place of its own."""

    socket_path: Path
    asked: list[Asked] = field(default_factory=list)
    said: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._server = _Server(str(self.socket_path), _handler_for(self.asked, self.said))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def take_create(self) -> Asked | None:
        """Return the last request to create a container, and forget all requests."""
        found = [asked for asked in self.asked if asked.path == "/containers/create"]
        self.asked.clear()
        return found[-1] if found else None

    def take_changes(self) -> list[Asked]:
        """Return the requests that change something, in their order, and forget all requests."""
        found = [asked for asked in self.asked if asked.method not in ("GET", "HEAD")]
        self.asked.clear()
        return found

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self.socket_path.unlink(missing_ok=True)


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True
    request_queue_size = 64


def _handler_for(asked: list[Asked], said: dict[str, bytes]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def address_string(self) -> str:
            return "unix"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def do_DELETE(self) -> None:
            self._answer()

        def _answer(self) -> None:
            path, _, query = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length)
            if path.startswith("/v1."):
                path = path[path.index("/", 1) :]
            asked.append(Asked(self.command, path, query, json.loads(text) if text else None))
            status, answer = (200, None) if path in said else _answer_for(path)
            body = said.get(path) or json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Api-Version", "1.50")
            self.send_header("OSType", "linux")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)
                self.wfile.flush()

        def finish(self) -> None:
            # Clients leave as soon as they know enough.
            with contextlib.suppress(OSError):
                super().finish()

    return Handler


def _answer_for(path: str) -> tuple[int, object]:
    if path == "/containers/create":
        return 201, {"Id": CONTAINER_ID, "Warnings": []}
    if path == "/_ping":
        return 200, "OK"
    if path == "/info":
        return 200, {"DefaultRuntime": "crun", "OSType": "linux"}
    if path.startswith(("/containers/", "/exec/")):
        return _answer_about_container(path.rpartition("/")[2])
    return 404, {"message": f"nothing at {path}"}


def _answer_about_container(verb: str) -> tuple[int, object]:
    if verb == "json":
        state = {"Running": True, "Status": "running", "Pid": 1}
        config = {"Tty": False, "OpenStdin": False}
        return 200, {"Id": CONTAINER_ID, "Name": "/c", "State": state, "Config": config}
    if verb == "exec":
        return 201, {"Id": "e" * 64}
    if verb == "update":
        return 200, {"Warnings": None}
    if verb == "wait":
        return 200, {"StatusCode": 0}
    return 200, {}
