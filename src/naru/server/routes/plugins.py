"""/plugins and /containers/{name}/checkpoints: what this engine does not have, said clearly.

Managed plugins are containers that extend dockerd; there are none here, and none can be added.
"""

from __future__ import annotations

from aiohttp import web

from naru.errors import NotFoundError, NotSupportedError
from naru.server import params
from naru.server.answers import json_answer


async def list_all(_: web.Request) -> web.Response:
    """List plugins."""
    return json_answer([])


async def find(request: web.Request) -> web.Response:
    """Look for a plugin."""
    raise NotFoundError(f'plugin "{params.name(request)}" not found')


async def add(_: web.Request) -> web.Response:
    """Add a plugin."""
    raise NotSupportedError("this engine has no managed plugins")


async def checkpoint(_: web.Request) -> web.Response:
    """Make, list or remove checkpoints."""
    raise NotSupportedError("this engine makes no checkpoints of containers")


ROUTES = (
    ("GET", "/plugins", list_all),
    ("GET", "/plugins/privileges", add),
    ("POST", "/plugins/pull", add),
    ("POST", "/plugins/create", add),
    ("GET", "/plugins/{name}/json", find),
    ("DELETE", "/plugins/{name}", find),
    *(
        ("POST", f"/plugins/{{name}}/{verb}", find)
        for verb in ("enable", "disable", "upgrade", "push", "set")
    ),
    ("GET", "/containers/{name}/checkpoints", checkpoint),
    ("POST", "/containers/{name}/checkpoints", checkpoint),
    ("DELETE", "/containers/{name}/checkpoints/{id}", checkpoint),
)
