"""Around every request: the API version, and errors as answers. One of the four doors."""

from __future__ import annotations

import errno
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
from naru.server.answers import ends_with_client, has_begun, json_answer
from naru.server.connection import ApiConnection

_log = logging.getLogger(__name__)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
_CHANGES_NOTHING = ("GET", "HEAD")
_HEADERS = {
    "Api-Version": dotted(MAXIMUM),
    "Docker-Experimental": "false",
    "Ostype": "linux",
    "Server": f"Naru/{ENGINE_VERSION} (linux)",
}


@web.middleware
async def errors_as_answers(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn what a handler raises into Docker's `{"message": …}`, with a `hint` if there is one.

    An answer that has begun cannot become another one: the connection ends, and the client
    sees that the answer is not whole.
    """
    try:
        return await _handled(request, handler)
    except NaruError as error:
        status = outcome_of(error).status
        # Above 500 it is no fault of ours: what is asked for is not there, or not now.
        if status == 500:
            _log.error("%s %s: %s", request.method, request.path, error, exc_info=error)
        _check_not_begun(request, error)
        return error_answer(status, error.message, error.hint)
    except web.HTTPException as error:
        return _http_error(request, error)
    except (ConnectionError, TimeoutError):
        raise
    except Exception as error:  # noqa: BLE001 -- the last door: a bug becomes a 500
        incident = uuid.uuid4().hex[:12]
        _log.exception("%s %s failed, incident %s", request.method, request.path, incident)
        _check_not_begun(request, error)
        if isinstance(error, OSError) and error.errno in _DISK_FULL:
            return error_answer(500, f"write {error.filename or 'file'}: no space left on device")
        return error_answer(500, f"internal error, incident {incident}: see the engine's log")


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.match_info.http_exception is None:
        params.api_version(request)
    if not ends_with_client(request.match_info.handler):
        if request.method in _CHANGES_NOTHING:
            return await handler(request)
        # A client that goes away must not leave a change half done.
        return await uncancelled(handler(request))
    if isinstance(request.protocol, ApiConnection):
        request.protocol.has_stream_answer = True
    return await handler(request)


def _check_not_begun(request: web.Request, error: Exception) -> None:
    if has_begun(request):
        raise ConnectionResetError("the answer broke off") from error


def _http_error(request: web.Request, error: web.HTTPException) -> web.Response:
    """Say it as Docker does: to it, a path with another method is no path."""
    if error.status in (404, 405):
        return error_answer(404, "page not found")
    if error.status == 413:
        return error_answer(400, "http: request body too large")
    _log.info("%s %s: %s", request.method, request.path, error.reason)
    return error_answer(error.status, error.reason)


def error_answer(status: int, message: str, hint: str = "") -> web.Response:
    """Return an error; 304 has no body, by HTTP's own rule.

    A hint is beside the message, whose words clients match on; docker's pass over it.
    """
    if status == 304:
        return web.Response(status=304)
    body = {"message": message}
    return json_answer({**body, "hint": hint} if hint else body, status=status)


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """Add what every answer says of the engine."""
    response.headers.update(_HEADERS)
