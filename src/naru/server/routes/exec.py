"""/exec: a second process in a container."""

from __future__ import annotations

from aiohttp import web

from naru.api.exec import ExecConfig, ExecStartConfig
from naru.engine import exec as exec_use_cases
from naru.server import params
from naru.server.answers import json_answer, stops_with_client
from naru.server.streams import serve_hijacked


async def create(request: web.Request) -> web.Response:
    """Prepare a process."""
    config = await params.body(request, ExecConfig, required=False)
    ctx = params.context(request)
    exec_id = await exec_use_cases.create_exec(ctx, params.name(request), config)
    return json_answer({"Id": exec_id}, status=201)


@stops_with_client
async def start(request: web.Request) -> web.StreamResponse:
    """Start it, and carry its streams unless it is detached."""
    body = await params.body(request, ExecStartConfig, required=False)
    streams = await exec_use_cases.start_exec(
        params.context(request),
        params.name(request),
        tty=body.tty,
        detach=body.detach,
        console_size=_pair(body.console_size),
    )
    if streams is None:
        return web.Response(status=200)
    return await serve_hijacked(request, streams, params.api_version(request))


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
