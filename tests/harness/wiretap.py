"""A socket in front of an engine's, which counts what goes through and can be cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path


class Wiretap:
    """Passes bytes on until closed. `sent` and `received` count those to and from the engine."""

    def __init__(self, path: Path, engine_socket: str) -> None:
        self.path = path
        self.sent = 0
        self.received = 0
        self.cut_after: int | None = None
        """Bytes to the engine after which each connection is cut"""
        self._engine_socket = engine_socket
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(16)
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """Return what a client dials."""
        return f"unix://{self.path}"

    def take(self) -> tuple[int, int]:
        """Return both counts, and begin anew."""
        with self._lock:
            counts = self.sent, self.received
            self.sent = self.received = 0
        return counts

    def close(self) -> None:
        """End all connections, and take no more."""
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        self.path.unlink(missing_ok=True)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(self._engine_socket)
                self._open |= {client, engine}
                for way in ((client, engine), (engine, client)):
                    up = way[0] is client
                    threading.Thread(target=self._pass, args=(*way, up), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, up: bool) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                with self._lock:
                    self.sent += len(data) if up else 0
                    self.received += 0 if up else len(data)
                passed += len(data)
                if up and self.cut_after is not None and passed > self.cut_after:
                    source.shutdown(socket.SHUT_RDWR)
                    target.shutdown(socket.SHUT_RDWR)
                    return
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
