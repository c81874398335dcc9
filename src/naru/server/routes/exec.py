"""/exec: a second process in a container."""

from __future__ import annotations

from aiohttp import web

from naru.aio import uncancelled
from naru.api.exec import ExecConfig, ExecStartConfig
from naru.engine.streams import exec as exec_use_cases
from naru.errors import NaruError
from naru.server import params
from naru.server.answers import json_answer, stops_with_client
from naru.server.streams import Carrier


async def create(request: web.Request) -> web.Response:
    """Prepare a process."""
    config = await params.body(request, ExecConfig, required=False)
    ctx = params.context(request)
    exec_id = await exec_use_cases.create_exec(ctx, params.name(request), config)
    return json_answer({"Id": exec_id}, status=201)


@stops_with_client
async def start(request: web.Request) -> web.StreamResponse:
    """Start it, and carry its streams unless it is detached.

    The head goes out before the process starts, as in Docker: there are clients that lose
    output which comes together with the head.
    """
    body = await params.body(request, ExecStartConfig, required=False)
    ctx, exec_id, version = (
        params.context(request),
        params.name(request),
        params.api_version(request),
    )
    size = _pair(body.console_size) if body.tty and version >= (1, 42) else None
    if body.detach:
        # A client that goes away must not leave a start half done.
        await uncancelled(exec_use_cases.start_exec(ctx, exec_id, detach=True, console_size=size))
        return web.Response(status=200)
    carrier = Carrier(request, tty=body.tty, api_version=version)
    try:
        streams = await exec_use_cases.start_exec(
            ctx, exec_id, detach=False, console_size=size, before_launch=carrier.take_over
        )
    except NaruError as error:
        if not carrier.has_taken_over:
            raise
        return await carrier.say(f"{error.message}\r\n")
    if streams is None:
        raise RuntimeError("an exec that is not detached has streams")
    return await carrier.carry(streams)


async def resize(request: web.Request) -> web.Response:
    """Tell its terminal its size."""
    rows, columns = params.terminal_size(request)
    await exec_use_cases.resize_exec(params.context(request), params.name(request), rows, columns)
    return web.Response(status=200)


async def inspect(request: web.Request) -> web.Response:
    """Say what became of it."""
    ctx = params.context(request)
    return json_answer(await exec_use_cases.inspect_exec(ctx, params.name(request)))


def _pair(size: list[int] | None) -> tuple[int, int] | None:
    return (size[0], size[1]) if size and len(size) == 2 else None


ROUTES = (
    ("POST", "/containers/{name}/exec", create),
    ("POST", "/exec/{name}/start", start),
    ("POST", "/exec/{name}/resize", resize),
    ("GET", "/exec/{name}/json", inspect),
)
