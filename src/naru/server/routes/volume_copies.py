"""/volumes/…: archives and snapshots of volumes. Extensions of ours."""

from __future__ import annotations

from aiohttp import web

from naru.api.wire import Wire
from naru.engine import volume_copies
from naru.server import params
from naru.server.answers import json_answer, no_content, stops_with_client, whole_stream


class SnapshotRequest(Wire):
    """The body of a snapshot's creation."""

    name: str = ""
    pause: bool = False


@stops_with_client
async def export(request: web.Request) -> web.StreamResponse:
    """Send what is in a volume."""
    pieces = volume_copies.export_volume(
        params.context(request), params.name(request), pauses=params.flag(request, "pause")
    )
    return await whole_stream(request, pieces, "application/x-tar")


@stops_with_client
async def import_(request: web.Request) -> web.Response:
    """Fill a volume from the body."""
    await volume_copies.import_volume(
        params.context(request),
        params.name(request),
        params.body_chunks(request),
        replaces=params.flag(request, "replace"),
    )
    return no_content()


async def snapshot(request: web.Request) -> web.Response:
    """Take a snapshot."""
    body = await params.body(request, SnapshotRequest, required=False)
    taken = await volume_copies.take_snapshot(
        params.context(request), params.name(request), body.name, pauses=body.pause
    )
    return json_answer(taken, status=201)


async def snapshots(request: web.Request) -> web.Response:
    """List the snapshots of a volume."""
    return json_answer(
        await volume_copies.list_snapshots(params.context(request), params.name(request))
    )


async def remove(request: web.Request) -> web.Response:
    """Remove a snapshot."""
    await volume_copies.remove_snapshot(
        params.context(request), params.name(request), request.match_info["snapshot"]
    )
    return no_content()


async def restore(request: web.Request) -> web.Response:
    """Give a volume back what it held."""
    await volume_copies.restore_snapshot(
        params.context(request), params.name(request), request.match_info["snapshot"]
    )
    return no_content()


ROUTES = (
    ("GET", "/volumes/{name}/export", export),
    ("POST", "/volumes/{name}/import", import_),
    ("GET", "/volumes/{name}/snapshots", snapshots),
    ("POST", "/volumes/{name}/snapshots", snapshot),
    ("DELETE", "/volumes/{name}/snapshots/{snapshot}", remove),
    ("POST", "/volumes/{name}/snapshots/{snapshot}/restore", restore),
)
