"""A container's own files: changes, export, and commit, which makes an image of them."""

from __future__ import annotations

from aiohttp import web

from naru.api.container_config import ContainerConfig
from naru.engine.containers import commit, rootfs
from naru.errors import InvalidInputError
from naru.server import params
from naru.server.answers import json_answer, stops_with_client, whole_stream


async def changes(request: web.Request) -> web.Response:
    """Say what a container changed; null if that is nothing."""
    found = await rootfs.container_changes(params.context(request), params.name(request))
    return json_answer(found or None)


@stops_with_client
async def export(request: web.Request) -> web.StreamResponse:
    """Send all files of a container as a tar."""
    pieces = rootfs.export_container(params.context(request), params.name(request))
    return await whole_stream(request, pieces, "application/octet-stream")


async def commit_one(request: web.Request) -> web.Response:
    """Make an image of a container."""
    name = params.text(request, "container")
    if not name:
        raise InvalidInputError('invalid name or ID supplied: ""')
    image_id = await commit.commit_container(
        params.context(request),
        name,
        repository=params.text(request, "repo"),
        tag=params.text(request, "tag"),
        comment=params.text(request, "comment"),
        author=params.text(request, "author"),
        changes=request.query.getall("changes", []),
        pauses=not params.text(request, "pause") or params.flag(request, "pause"),
        config=await params.body(request, ContainerConfig, required=False),
    )
    return json_answer({"Id": image_id}, status=201)


ROUTES = (
    ("GET", "/containers/{name}/changes", changes),
    ("GET", "/containers/{name}/export", export),
    ("POST", "/commit", commit_one),
)
