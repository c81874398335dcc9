"""/swarm and what lives in one: this engine is never part of a swarm, and says so as Docker does.

Clients tell by status and words that there is no swarm, so these are Docker's to the letter.
"""

from __future__ import annotations

from aiohttp import web

from naru.engine.networks import NO_SWARM
from naru.errors import NotSupportedError, UnavailableError


async def refuse(_: web.Request) -> web.Response:
    """Answer what only the manager of a swarm can."""
    raise UnavailableError(NO_SWARM)


async def leave(_: web.Request) -> web.Response:
    """Leave the swarm."""
    raise UnavailableError("This node is not part of a swarm")


async def enter(_: web.Request) -> web.Response:
    """Make or join a swarm."""
    raise NotSupportedError("this engine does not take part in swarms")


_MANAGED = (
    ("GET", "/swarm"),
    ("POST", "/swarm/update"),
    ("GET", "/swarm/unlockkey"),
    ("POST", "/swarm/unlock"),
    # Volumes of a swarm's cluster; others cannot be updated.
    ("PUT", "/volumes/{name}"),
    *(
        (method, f"/{noun}{rest}")
        for noun in ("nodes", "services", "tasks", "secrets", "configs")
        for method, rest in (
            ("GET", ""),
            ("POST", "/create"),
            ("GET", "/{name}"),
            ("DELETE", "/{name}"),
            ("POST", "/{name}/update"),
            ("GET", "/{name}/logs"),
        )
    ),
)

ROUTES = (
    *((method, path, refuse) for method, path in _MANAGED),
    ("POST", "/swarm/leave", leave),
    ("POST", "/swarm/init", enter),
    ("POST", "/swarm/join", enter),
)
