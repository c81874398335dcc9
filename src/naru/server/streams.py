"""Carrying bytes between a client's connection and a process's streams."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSMsgType, web

from naru.aio import TaskSet
from naru.api.stream import MULTIPLEXED_TYPE, RAW_TYPE, frame
from naru.api.version import ApiVersion
from naru.engine.live.attachments import AttachStreams
from naru.errors import InvalidInputError
from naru.server.connection import RawStream
from naru.server.hijack import HijackedResponse, hijack

# docker-py reads the head through a buffer and the rest past it: what comes together with the
# head is lost to it. In Docker a log takes so long to open that it never does.
_HEAD_START_S = 0.02


def stream_type(*, tty: bool, api_version: ApiVersion) -> str:
    """Return the content type of a stream; told apart from API 1.42 on."""
    return RAW_TYPE if tty or api_version < (1, 42) else MULTIPLEXED_TYPE


class Carrier:
    """Takes one client's connection over and carries a process's streams on it.

    `tty` says how the client wants to be spoken to: raw, or in frames.
    """

    def __init__(self, request: web.Request, *, tty: bool, api_version: ApiVersion) -> None:
        self._request = request
        self._tty = tty
        self._content_type = stream_type(tty=tty, api_version=api_version)
        self._client: RawStream | None = None

    @property
    def has_taken_over(self) -> bool:
        """Say whether the head of the answer was sent."""
        return self._client is not None

    async def take_over(self) -> None:
        """Send the head of the answer.

        Raises:
            ConnectionResetError: the client is gone.
        """
        self._client = await hijack(self._request, self._content_type)

    async def carry(self, streams: AttachStreams) -> web.StreamResponse:
        """Carry bytes both ways until one side ends, and part from the process.

        A client that goes cancels this; the process goes on without it.
        """
        tasks = TaskSet("hijacked")
        try:
            if self._client is None:
                await self.take_over()
            assert self._client is not None
            if streams.speaks_at_once:
                await asyncio.sleep(_HEAD_START_S)
            tasks.start(_carry_input(self._client, streams), name="input", reports_failure=False)
            await self._carry_output(self._client, streams)
        finally:
            await tasks.close()
            await streams.close()
        return HijackedResponse()

    async def say(self, text: str) -> web.StreamResponse:
        """Tell the user something where the process's output was to be, and end."""
        if self._client is not None:
            with contextlib.suppress(OSError):
                await self._client.write(self._shaped(1, text.encode()))
        return HijackedResponse()

    async def _carry_output(self, client: RawStream, streams: AttachStreams) -> None:
        with contextlib.suppress(OSError):
            while (piece := await streams.read()) is not None:
                await client.write(self._shaped(*piece))

    def _shaped(self, stream: int, data: bytes) -> bytes:
        return data if self._tty else frame(stream, data)


async def _carry_input(client: RawStream, streams: AttachStreams) -> None:
    with contextlib.suppress(OSError):
        while data := await client.read():
            await streams.write(data)
        await streams.close_stdin()


def check_websocket(request: web.Request) -> None:
    """Refuse a request that cannot become a WebSocket.

    Raises:
        InvalidInputError: it does not ask for one.
    """
    if not web.WebSocketResponse().can_prepare(request).ok:
        raise InvalidInputError("not websocket protocol")


async def serve_websocket(
    request: web.Request, streams: AttachStreams, api_version: ApiVersion
) -> web.StreamResponse:
    """Carry a container's streams over a WebSocket.

    Output goes as binary messages without frames, as Docker sends it from API 1.28 on; before
    that as text.
    """
    socket = web.WebSocketResponse()
    kind = WSMsgType.BINARY if api_version >= (1, 28) else WSMsgType.TEXT
    tasks = TaskSet("websocket")
    try:
        await socket.prepare(request)
        sending = tasks.start(
            _carry_to_messages(socket, streams, kind), name="output", reports_failure=False
        )
        receiving = tasks.start(
            _carry_messages(socket, streams), name="input", reports_failure=False
        )
        await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await tasks.close()
        await streams.close()
        await socket.close()
    return socket


async def _carry_to_messages(
    socket: web.WebSocketResponse, streams: AttachStreams, kind: WSMsgType
) -> None:
    with contextlib.suppress(OSError):
        while (piece := await streams.read()) is not None:
            await socket.send_frame(piece[1], kind)


async def _carry_messages(socket: web.WebSocketResponse, streams: AttachStreams) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await streams.write(message.data.encode())
        elif message.type is WSMsgType.BINARY:
            await streams.write(message.data)
