"""/containers/…/archive: files out of containers and into them, as tar streams."""

from __future__ import annotations

import base64

import msgspec
from aiohttp import web

from naru.api.path_stat import HEADER, MATCHES_HEADER, PathStat
from naru.engine import archive
from naru.errors import InvalidInputError
from naru.server import params
from naru.server.answers import begin, stops_with_client


def _path(request: web.Request) -> str:
    path = params.raw_text(request, "path")
    if not path:
        # Without the space, as Docker has it.
        raise InvalidInputError("bad parameter: pathcannot be empty")
    return path


def _stat_header(stat: PathStat) -> str:
    return base64.b64encode(msgspec.json.encode(stat.as_json())).decode("ascii")


@stops_with_client
async def stat(request: web.Request) -> web.Response:
    """Say what is at a path."""
    found = await archive.stat_path(params.context(request), params.name(request), _path(request))
    return web.Response(headers={HEADER: _stat_header(found)})


@stops_with_client
async def get(request: web.Request) -> web.StreamResponse:
    """Send what is at a path, or all that fits a pattern."""
    is_pattern = params.flag(request, "pattern")
    found = await archive.archive_path(
        params.context(request), params.name(request), _path(request), is_pattern=is_pattern
    )
    headers = {HEADER: _stat_header(found.stat)}
    if is_pattern:
        headers[MATCHES_HEADER] = str(found.matches)
    try:
        response = await begin(request, "application/x-tar", headers)
        async for block in found.blocks():
            await response.write(block)
        await response.write_eof()
    finally:
        await found.close()
    return response


@stops_with_client
async def put(request: web.Request) -> web.Response:
    """Extract the body into a directory."""
    await archive.extract_archive(
        params.context(request),
        params.name(request),
        _path(request),
        params.body_chunks(request),
        keeps_types=params.flag(request, "noOverwriteDirNonDir"),
        as_user=params.flag(request, "copyUIDGID"),
    )
    return web.Response(status=200)


ROUTES = (
    ("HEAD", "/containers/{name}/archive", stat),
    ("GET", "/containers/{name}/archive", get),
    ("PUT", "/containers/{name}/archive", put),
)
