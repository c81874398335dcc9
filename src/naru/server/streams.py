"""Carrying bytes between a client's connection and a process's streams."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSMsgType, web

from naru.aio import TaskSet
from naru.api.stream import MULTIPLEXED_TYPE, RAW_TYPE, frame
from naru.api.version import ApiVersion
from naru.engine.attachments import AttachStreams
from naru.server.connection import RawStream
from naru.server.hijack import HijackedResponse, hijack


def stream_type(*, tty: bool, api_version: ApiVersion) -> str:
    """Return the content type of a stream; told apart from API 1.42 on."""
    return RAW_TYPE if tty or api_version < (1, 42) else MULTIPLEXED_TYPE


async def serve_hijacked(
    request: web.Request, streams: AttachStreams, api_version: ApiVersion
) -> web.StreamResponse:
    """Take the connection over and carry bytes both ways until one side ends.

    A client that goes cancels this; the process goes on without it.
    """
    tasks = TaskSet("hijacked")
    try:
        client = await hijack(request, stream_type(tty=streams.tty, api_version=api_version))
        tasks.start(_carry_input(client, streams), name="input", reports_failure=False)
        await _carry_output(client, streams)
    finally:
        await tasks.close()
        await streams.close()
    return HijackedResponse()


async def _carry_input(client: RawStream, streams: AttachStreams) -> None:
    with contextlib.suppress(OSError):
        while data := await client.read():
            await streams.write(data)
        await streams.close_stdin()


async def _carry_output(client: RawStream, streams: AttachStreams) -> None:
    with contextlib.suppress(OSError):
        while (piece := await streams.read()) is not None:
            stream, data = piece
            await client.write(data if streams.tty else frame(stream, data))


async def serve_websocket(request: web.Request, streams: AttachStreams) -> web.StreamResponse:
    """Carry a container's streams over a WebSocket.

    Output goes as binary messages without frames, as Docker sends it from API 1.28 on; before
    that as text.
    """
    socket = web.WebSocketResponse()
    tasks = TaskSet("websocket")
    try:
        await socket.prepare(request)
        sending = tasks.start(
            _carry_to_messages(socket, streams), name="output", reports_failure=False
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


async def _carry_to_messages(socket: web.WebSocketResponse, streams: AttachStreams) -> None:
    with contextlib.suppress(OSError):
        while (piece := await streams.read()) is not None:
            await socket.send_bytes(piece[1])


async def _carry_messages(socket: web.WebSocketResponse, streams: AttachStreams) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await streams.write(message.data.encode())
        elif message.type is WSMsgType.BINARY:
            await streams.write(message.data)
