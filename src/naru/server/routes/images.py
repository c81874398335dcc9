"""/images: list, inspect, pull, save, load, import, tag, remove."""

from __future__ import annotations

from aiohttp import web

from naru.engine.images import images
from naru.engine.images import listing as image_listing
from naru.engine.images import removal as image_removal
from naru.errors import InvalidInputError
from naru.server import params
from naru.server.answers import json_answer, json_stream, stops_with_client, whole_stream


async def list_all(request: web.Request) -> web.Response:
    """List images."""
    version, filters = params.api_version(request), params.filters(request)
    if version < (1, 41) and (pattern := params.text(request, "filter")):
        filters = filters.with_value("reference", pattern)
    views = await image_listing.list_images(
        params.context(request),
        all=params.flag(request, "all"),
        filters=filters,
        shared_size=version >= (1, 42) and params.flag(request, "shared-size"),
        manifests=params.flag(request, "manifests"),
        api_version=version,
    )
    return json_answer(views)


async def inspect(request: web.Request) -> web.Response:
    """Inspect an image."""
    version = params.api_version(request)
    manifests = version >= (1, 48) and params.flag(request, "manifests")
    platform = params.platform(request, "platform", since=(1, 49))
    if manifests and platform:
        raise InvalidInputError(
            "conflicting options: manifests and platform options cannot both be set"
        )
    return json_answer(
        await image_listing.inspect_image(
            params.context(request),
            params.name(request),
            version,
            platform=platform,
            manifests=manifests,
        )
    )


async def history(request: web.Request) -> web.Response:
    """Say how an image came to be."""
    steps = await image_listing.history_image(
        params.context(request),
        params.name(request),
        platform=params.platform(request, "platform", since=(1, 48)),
    )
    return json_answer(steps)


async def tag(request: web.Request) -> web.Response:
    """Give an image another name."""
    await images.tag_image(
        params.context(request),
        params.name(request),
        params.text(request, "repo"),
        params.text(request, "tag"),
    )
    return web.Response(status=201)


async def remove(request: web.Request) -> web.Response:
    """Untag or remove an image."""
    records = await image_removal.remove_image(
        params.context(request),
        params.name(request),
        force=params.flag(request, "force"),
        noprune=params.flag(request, "noprune"),
        platform=params.platform(request, "platforms", since=(1, 50)),
    )
    return json_answer(records)


async def prune(request: web.Request) -> web.Response:
    """Remove images that nobody needs."""
    filters = params.filters(request)
    return json_answer(await image_removal.prune_images(params.context(request), filters))


@stops_with_client
async def save_one(request: web.Request) -> web.StreamResponse:
    """Send the archive of the image that the path names."""
    return await _save(request, [params.name(request)])


@stops_with_client
async def save_many(request: web.Request) -> web.StreamResponse:
    """Send one archive of several images."""
    return await _save(request, request.query.getall("names", []))


async def _save(request: web.Request, names: list[str]) -> web.StreamResponse:
    platform = params.platform(request, "platform", since=(1, 48))
    pieces = images.save_images(params.context(request), names, platform=platform)
    return await whole_stream(request, pieces, "application/x-tar")


@stops_with_client
async def load(request: web.Request) -> web.StreamResponse:
    """Load images from an archive.

    As in Docker the answer is always 200, and clients look for errors in the stream. `keep` is
    an extension of ours.
    """
    records = images.load_images(
        params.context(request),
        params.body_chunks(request),
        quiet=params.flag(request, "quiet"),
        platform=params.platform(request, "platform", since=(1, 48)),
        keep=params.text(request, "keep"),
    )
    return await json_stream(request, records, refuses=False)


@stops_with_client
async def create(request: web.Request) -> web.StreamResponse:
    """Pull an image, or import one: `fromImage` or `fromSrc` tells which."""
    ctx = params.context(request)
    if from_image := params.text(request, "fromImage"):
        records = images.pull_image(
            ctx,
            from_image=from_image,
            tag=params.text(request, "tag"),
            platform=params.text(request, "platform"),
            auth=params.registry_auth(request),
        )
        return await json_stream(request, records)
    source = params.text(request, "fromSrc")
    from_body = source in ("", "-")
    chunks = params.body_chunks(request) if from_body else images.fetch_url(ctx, source)
    records = images.import_tarball(
        ctx,
        chunks,
        repository=params.text(request, "repo"),
        tag=params.text(request, "tag"),
        changes=request.query.getall("changes", []),
        message=params.text(request, "message"),
        platform=params.text(request, "platform"),
        source="-" if from_body else source,
    )
    return await json_stream(request, records)


ROUTES = (
    ("GET", "/images/json", list_all),
    ("GET", "/images/get", save_many),
    ("POST", "/images/load", load),
    ("POST", "/images/create", create),
    ("POST", "/images/prune", prune),
    ("GET", "/images/{name:.+}/json", inspect),
    ("GET", "/images/{name:.+}/history", history),
    ("GET", "/images/{name:.+}/get", save_one),
    ("POST", "/images/{name:.+}/tag", tag),
    ("DELETE", "/images/{name:.+}", remove),
)
