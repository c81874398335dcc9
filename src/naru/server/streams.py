"""Carrying bytes between a client's connection and a process's streams."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSMsgType, web

from naru.aio import TaskSet
from naru.api.stream import MULTIPLEXED_TYPE, RAW_TYPE, frame
from naru.api.version import ApiVersion
from naru.engine.attachments import AttachStreams
from naru.server.hijack import HijackedConnection, HijackedResponse, hijack


def stream_type(*, tty: bool, api_version: ApiVersion) -> str:
    """Return the content type of a stream; told apart from API 1.42 on."""
    return RAW_TYPE if tty or api_version < (1, 42) else MULTIPLEXED_TYPE


async def serve_hijacked(
    request: web.Request, streams: AttachStreams, api_version: ApiVersion
) -> web.StreamResponse:
    """Take the connection over and carry bytes both ways until one side ends."""
    connection = hijack(request, stream_type(tty=streams.tty, api_version=api_version))
    tasks = TaskSet("hijacked")
    try:
        tasks.start(_carry_input(connection, streams), name="input", reports_failure=False)
        output = tasks.start(
            _carry_output(connection, streams), name="output", reports_failure=False
        )
        gone = tasks.start(connection.closed.wait(), name="gone")
        await asyncio.wait([output, gone], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await streams.close()
        await tasks.close()
        connection.close()
    return HijackedResponse()


async def _carry_input(connection: HijackedConnection, streams: AttachStreams) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while data := await connection.read():
            await streams.write(data)
        await streams.close_stdin()


async def _carry_output(connection: HijackedConnection, streams: AttachStreams) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while (piece := await streams.read()) is not None:
            stream, data = piece
            await connection.write(data if streams.tty else frame(stream, data))
        await connection.drain()


async def serve_websocket(request: web.Request, streams: AttachStreams) -> web.StreamResponse:
    """Carry a container's streams over a WebSocket, as binary messages without frames."""
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    tasks = TaskSet("websocket")

    async def output() -> None:
        with contextlib.suppress(ConnectionError):
            while (piece := await streams.read()) is not None:
                await socket.send_bytes(piece[1])

    try:
        sending = tasks.start(output(), name="output", reports_failure=False)
        receiving = tasks.start(_carry_messages(socket, streams), name="input")
        await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        await streams.close()
        await tasks.close()
        await socket.close()
    return socket


async def _carry_messages(socket: web.WebSocketResponse, streams: AttachStreams) -> None:
    async for message in socket:
        if message.type is WSMsgType.TEXT:
            await streams.write(message.data.encode())
        elif message.type is WSMsgType.BINARY:
            await streams.write(message.data)
