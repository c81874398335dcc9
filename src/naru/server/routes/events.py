"""/events."""

from __future__ import annotations

from aiohttp import web

from naru.engine.events import bus as events
from naru.server import params
from naru.server.answers import json_stream, stops_with_client


@stops_with_client
async def follow(request: web.Request) -> web.StreamResponse:
    """Stream what happens."""
    ctx = params.context(request)
    records = events.follow_events(
        ctx.events,
        ctx.clock,
        since=params.text(request, "since"),
        until=params.text(request, "until"),
        filters=params.filters(request),
    )
    return await json_stream(request, records, at_once=True, line_end=b"\n")


ROUTES = (("GET", "/events", follow),)
