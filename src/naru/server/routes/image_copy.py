"""/images: what copies between engines ask for. Extensions of ours."""

from __future__ import annotations

from aiohttp import web

from naru.api.image_content import BlobsRequest, MissingRequest
from naru.engine.images import copying as image_copy
from naru.server import params
from naru.server.answers import json_answer, stops_with_client, whole_stream


async def missing(request: web.Request) -> web.Response:
    """Say what of some blobs and layers is not here."""
    asked = await params.body(request, MissingRequest)
    return json_answer(await image_copy.missing_content(params.context(request), asked))


async def content(request: web.Request) -> web.Response:
    """Give the documents of an image."""
    found = await image_copy.image_content(
        params.context(request),
        params.name(request),
        platform=params.platform(request, "platform", since=(1, 48)),
    )
    return json_answer(found)


@stops_with_client
async def layers(request: web.Request) -> web.StreamResponse:
    """Send layers of an image as they are stored, one after the other."""
    asked = await params.body(request, BlobsRequest)
    pieces = image_copy.image_layers(params.context(request), params.name(request), asked.blobs)
    return await whole_stream(request, pieces, "application/octet-stream")


ROUTES = (
    ("POST", "/images/missing", missing),
    ("GET", "/images/{name:.+}/content", content),
    ("POST", "/images/{name:.+}/content", layers),
)
