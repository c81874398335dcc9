"""Taking a connection over from HTTP: attach and exec speak raw bytes after the answer's head.

Spec: Engine API 1.50, ContainerAttach, "Hijacking": the client may ask for an upgrade (101) or
not (200).
"""

from __future__ import annotations

from aiohttp import web

from naru.api.stream import RAW_TYPE
from naru.server.connection import ApiConnection, RawStream


class HijackedResponse(web.Response):
    """What a handler returns after it took the connection over: nothing more is sent."""

    async def prepare(self, request: web.BaseRequest) -> None:
        self.force_close()

    async def write_eof(self, data: bytes = b"") -> None:
        return


async def hijack(request: web.Request, content_type: str) -> RawStream:
    """Answer the head and take the connection. The body must have been read.

    A client that did not ask for an upgrade is always told of a raw stream, as Docker does.

    Raises:
        ConnectionResetError: the client is gone already.
    """
    connection = request.protocol
    if not isinstance(connection, ApiConnection):
        raise RuntimeError("connections must be made by server.api_server")  # noqa: TRY004 - a mistake of ours
    stream = connection.take_over()
    if "Upgrade" in request.headers:
        head = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
    else:
        head, content_type = "HTTP/1.1 200 OK\r\n", RAW_TYPE
    await stream.write(f"{head}Content-Type: {content_type}\r\n\r\n".encode())
    return stream
