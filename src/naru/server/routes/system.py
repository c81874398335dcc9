"""/_ping, /version, /info, /system."""

from __future__ import annotations

from aiohttp import web

from naru.engine import disk_usage, store_check, system
from naru.server import params
from naru.server.answers import json_answer, json_stream, stops_with_client

# Builder-Version 1 tells clients that builds go through POST /build.
_PING_HEADERS = {
    "Builder-Version": "1",
    "Swarm": "inactive",
    "Cache-Control": "no-cache, no-store, must-revalidate",
    "Pragma": "no-cache",
}


async def ping(_: web.Request) -> web.Response:
    """Say that the engine is there."""
    return web.Response(text="OK", headers=_PING_HEADERS)


async def version(request: web.Request) -> web.Response:
    """Say what it is."""
    return json_answer(await system.version(params.context(request)))


async def info(request: web.Request) -> web.Response:
    """Say what it runs on."""
    return json_answer(await system.info(params.context(request), params.api_version(request)))


async def df(request: web.Request) -> web.Response:
    """Say what takes how much of the disk."""
    version = params.api_version(request)
    kinds = request.query.getall("type", []) if version >= (1, 42) else []
    return json_answer(await disk_usage.disk_usage(params.context(request), kinds, version))


@stops_with_client
async def check(request: web.Request) -> web.StreamResponse:
    """Check the store, and mend it if asked. Our extension."""
    wanted = store_check.CheckRequest(
        repairs=params.flag(request, "repair"),
        reads=not params.flag(request, "quick"),
        contents=params.flag(request, "full"),
        auths=params.registry_auths(request),
    )
    return await json_stream(request, store_check.check_store(params.context(request), wanted))


ROUTES = (
    ("GET", "/_ping", ping),
    ("GET", "/version", version),
    ("GET", "/info", info),
    ("GET", "/system/df", df),
    ("POST", "/system/check", check),
)
