"""/distribution: what registries have."""

from __future__ import annotations

from aiohttp import web

from naru.engine import distribution
from naru.server import params
from naru.server.answers import json_answer, stops_with_client


@stops_with_client
async def inspect(request: web.Request) -> web.Response:
    """Say what an image in its registry is."""
    found = await distribution.inspect_distribution(
        params.context(request), params.name(request), auth=params.registry_auth(request)
    )
    return json_answer(found)


ROUTES = (("GET", "/distribution/{name:.+}/json", inspect),)
