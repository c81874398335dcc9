"""Around every request: the API version, and errors as answers. One of the four doors."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable

from aiohttp import web

from naru.aio import uncancelled
from naru.api.version import MAXIMUM, dotted
from naru.engine.system import ENGINE_VERSION
from naru.errormap import outcome_of
from naru.errors import NaruError
from naru.server import params
from naru.server.answers import ends_with_client, json_answer

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_HEADERS = {
    "Api-Version": dotted(MAXIMUM),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Naru/{ENGINE_VERSION} (linux)",
}


@web.middleware
async def errors_as_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into Docker's `{"message": …}`."""
    try:
        params.api_version(request)
        if ends_with_client(request.match_info.handler):
            return await handler(request)
        # A client that goes away must not leave a change half done.
        return await uncancelled(handler(request))
    except NaruError as error:
        status = outcome_of(error).status
        if status >= 500:
            _log.error("%s %s: %s", request.method, request.path, error, exc_info=error)
        return error_answer(status, error.message)
    except web.HTTPException as error:
        if error.status == 405:
            return error_answer(405, "method not allowed")
        return error_answer(error.status, "page not found" if error.status == 404 else error.reason)
    except (ConnectionResetError, TimeoutError):
        raise
    except Exception:  # noqa: BLE001 -- the last door: a bug becomes a 500, never a hung client
        incident = uuid.uuid4().hex[:12]
        _log.exception("%s %s failed, incident %s", request.method, request.path, incident)
        return error_answer(500, f"internal error, incident {incident}: see the engine's log")


def error_answer(status: int, message: str) -> web.Response:
    """Return an error; 304 has no body, by HTTP's own rule."""
    if status == 304:
        return web.Response(status=304)
    return json_answer({"message": message}, status=status)


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add what every answer says of the engine."""
    response.headers.update(_HEADERS)
