"""/volumes."""

from __future__ import annotations

from aiohttp import web
from msgspec import field

from naru.api.wire import Wire
from naru.engine import volumes
from naru.server import params
from naru.server.answers import json_answer, no_content


class CreateRequest(Wire):
    """The body of create."""

    name: str = ""
    driver: str = ""
    driver_opts: dict[str, str] | None = field(default=None, name="DriverOpts")
    labels: dict[str, str] | None = None


async def list_all(request: web.Request) -> web.Response:
    """List volumes."""
    return json_answer(await volumes.list_volumes(params.context(request), params.filters(request)))


async def create(request: web.Request) -> web.Response:
    """Make a volume."""
    body = await params.body(request, CreateRequest, required=False)
    view = await volumes.create_volume(
        params.context(request), body.name, body.driver, body.driver_opts or {}, body.labels or {}
    )
    return json_answer(view, status=201)


async def inspect(request: web.Request) -> web.Response:
    """Inspect a volume."""
    return json_answer(await volumes.inspect_volume(params.context(request), params.name(request)))


async def remove(request: web.Request) -> web.Response:
    """Remove a volume."""
    force = params.flag(request, "force")
    await volumes.remove_volume(params.context(request), params.name(request), force=force)
    return no_content()


async def prune(request: web.Request) -> web.Response:
    """Remove the volumes that nobody uses."""
    return json_answer(
        await volumes.prune_volumes(
            params.context(request), params.filters(request), params.api_version(request)
        )
    )


ROUTES = (
    ("GET", "/volumes", list_all),
    ("POST", "/volumes/create", create),
    ("POST", "/volumes/prune", prune),
    ("GET", "/volumes/{name}", inspect),
    ("DELETE", "/volumes/{name}", remove),
)
