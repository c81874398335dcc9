"""Serving the API on sockets: connections are made, counted, and ended in an order.

Lives on the loop. `close` ends what only streams at once and lets changes finish, so that the
engine's end is quick and nothing is left half done.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

from naru.server.connection import ApiConnection
from naru.server.tls import TlsLink

# Docker's clients keep connections for minutes.
_KEEPALIVE_S = 600.0
_BACKLOG = 1024


class RequestLog(AbstractAccessLogger):
    """A line for each request: of a query only the names, for values can be secrets."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """Write the line of a request that took `time` seconds."""
        names = "&".join(request.rel_url.query.keys())
        told = f"{request.rel_url.raw_path}{'?' if names else ''}{names}"
        self.logger.info("%s %s: %d in %.3f s", request.method, told, response.status, time)


class ApiServer:
    """One application on any number of listening sockets."""

    def __init__(self, app: web.Application, *, access_log: logging.Logger | None = None) -> None:
        """Take the application; `access_log` gets a line for each request."""
        self._runner = web.AppRunner(app, handle_signals=False, handler_cancellation=True)
        self._access_log = access_log
        self._servers: list[asyncio.AbstractServer] = []

    async def start(self) -> None:
        """Get ready; nothing is served before `listen`."""
        await self._runner.setup()

    async def listen(self, listening: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Serve on a socket that is bound, and speak TLS if a context is given."""
        manager = self._runner.server
        if manager is None:
            raise RuntimeError("start() comes first")
        loop = asyncio.get_running_loop()
        options: dict[str, Any] = {
            "loop": loop,
            "keepalive_timeout": _KEEPALIVE_S,
            "access_log": self._access_log,
            "access_log_class": RequestLog,
            # A body is what the client sent: layers are compressed, and are no HTTP encoding.
            "auto_decompress": False,
        }

        def plain() -> ApiConnection:
            return ApiConnection(manager, **options)

        def secured() -> TlsLink:
            assert tls is not None
            return TlsLink(tls, plain)

        make: Any = plain if tls is None else secured
        if listening.family == socket.AF_UNIX:
            server = await loop.create_unix_server(make, sock=listening, backlog=_BACKLOG)
        else:
            server = await loop.create_server(make, sock=listening, backlog=_BACKLOG)
        self._servers.append(server)

    async def close(self, timeout_s: float) -> None:
        """Stop serving: streams end now, other requests get `timeout_s` to finish."""
        for server in self._servers:
            server.close()
        manager = self._runner.server
        if manager is not None:
            # What was accepted already is begun, not dropped.
            await asyncio.sleep(0)
            for connection in manager.connections:
                if isinstance(connection, ApiConnection) and connection.has_stream_answer:
                    connection.force_close()
            manager.pre_shutdown()
            await manager.shutdown(timeout_s)
        await self._runner.cleanup()
