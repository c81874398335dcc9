"""/networks."""

from __future__ import annotations

from aiohttp import web

from naru.engine import networks
from naru.server import params
from naru.server.answers import json_answer


async def list_all(request: web.Request) -> web.Response:
    """List networks."""
    return json_answer(
        await networks.list_networks(params.context(request), params.filters(request))
    )


async def inspect(request: web.Request) -> web.Response:
    """Inspect a network."""
    return json_answer(
        await networks.inspect_network(params.context(request), params.name(request))
    )


ROUTES = (
    ("GET", "/networks", list_all),
    ("GET", "/networks/", list_all),
    ("GET", "/networks/{name}", inspect),
)
