"""/distribution, /auth, and what of /images asks registries: what they have, and whom they know."""

from __future__ import annotations

from aiohttp import web

from naru.api.auth_request import AuthRequest
from naru.engine.images import distribution
from naru.engine.images.push import push_image
from naru.engine.images.search import search_images
from naru.server import params
from naru.server.answers import json_answer, json_stream, stops_with_client


@stops_with_client
async def inspect(request: web.Request) -> web.Response:
    """Say what an image in its registry is."""
    found = await distribution.inspect_distribution(
        params.context(request), params.name(request), auth=params.registry_auth(request)
    )
    return json_answer(found)


@stops_with_client
async def auth(request: web.Request) -> web.Response:
    """Check a login."""
    body = await params.body(request, AuthRequest)
    return json_answer(await distribution.authenticate(params.context(request), body))


@stops_with_client
async def push(request: web.Request) -> web.StreamResponse:
    """Push an image."""
    records = push_image(
        params.context(request),
        params.name(request),
        tag=params.text(request, "tag"),
        platform=params.platform(request, "platform", since=(1, 46)),
        auth=await params.registry_auth_of_push(request),
    )
    return await json_stream(request, records)


@stops_with_client
async def search(request: web.Request) -> web.Response:
    """Search a registry for images."""
    found = await search_images(
        params.context(request),
        params.text(request, "term"),
        limit=params.number(request, "limit", default=0) or 0,
        filters=params.filters(request),
        auth=params.registry_auth(request),
    )
    return json_answer(found)


ROUTES = (
    ("GET", "/distribution/{name:.+}/json", inspect),
    ("POST", "/auth", auth),
    ("POST", "/images/{name:.+}/push", push),
    ("GET", "/images/search", search),
)
