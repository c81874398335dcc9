"""Answers: JSON values, streams of JSON records, streams of bytes."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from naru.errors import NaruError

_log = logging.getLogger(__name__)
H = TypeVar("H", bound=Callable[..., Any])
_waiting_handlers: set[Any] = set()
_encode = msgspec.json.Encoder().encode
_BEGUN: web.RequestKey[bool] = web.RequestKey("begun", bool)
_JSON_HEADERS = {"Content-Type": "application/json"}


def stops_with_client(handler: H) -> H:
    """Mark a handler that only waits or streams: it is cancelled when its client goes away."""
    _waiting_handlers.add(handler)
    return handler


def ends_with_client(handler: Any) -> bool:
    """Say whether a handler is so marked."""
    return handler in _waiting_handlers


def has_begun(request: web.Request) -> bool:
    """Say whether the head of a stream was sent, so that the status is spent."""
    return _BEGUN in request


def json_answer(value: Any, *, status: int = 200) -> web.Response:
    """Return a value as JSON."""
    return web.Response(body=_encode(value) + b"\n", status=status, headers=_JSON_HEADERS)


def no_content() -> web.Response:
    """Return success that has nothing to say."""
    return web.Response(status=204)


async def begin(
    request: web.Request, content_type: str, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Send the head of a stream at once and return its body's end."""
    response = web.StreamResponse(headers={"Content-Type": content_type, **(headers or {})})
    await response.prepare(request)
    request[_BEGUN] = True
    return response


async def json_stream(
    request: web.Request,
    records: AsyncIterator[dict[str, Any]],
    *,
    at_once: bool = False,
    refuses: bool = True,
    line_end: bytes = b"\r\n",
) -> web.StreamResponse:
    """Send records one by one as they come.

    An error before the first record is raised, so that it becomes a status; a later one is
    sent as the last record, because the status is spent. `at_once` sends the head before the
    first record comes; without `refuses` the first record may be an error, too.
    """
    response = await begin(request, "application/json") if at_once else None
    try:
        async for record in records:
            if response is None:
                response = await begin(request, "application/json")
            await response.write(_encode(record) + line_end)
    except NaruError as error:
        if response is None:
            if refuses:
                raise
            response = await begin(request, "application/json")
        _log.info("%s %s: %s", request.method, request.path, error)
        detail = {"message": error.message, **({"hint": error.hint} if error.hint else {})}
        last = {"errorDetail": detail, "error": error.message}
        await response.write(_encode(last) + line_end)
    finally:
        await _close(records)
    if response is None:
        response = await begin(request, "application/json")
    await response.write_eof()
    return response


async def byte_stream(
    request: web.Request,
    blocks: AsyncIterator[bytes],
    content_type: str,
    *,
    last_words: Callable[[NaruError], bytes],
) -> web.StreamResponse:
    """Send blocks of bytes as they come, until they end or the client goes.

    An error on the way is told in `last_words`: the status is spent.
    """
    response = await begin(request, content_type)
    try:
        async for block in blocks:
            await response.write(block)
    except NaruError as error:
        _log.warning("%s %s: %s", request.method, request.path, error)
        await response.write(last_words(error))
    finally:
        await _close(blocks)
    await response.write_eof()
    return response


async def whole_stream(
    request: web.Request, blocks: AsyncIterator[bytes], content_type: str
) -> web.StreamResponse:
    """Send blocks of bytes that are of use only together: an error breaks the answer off.

    An error before the first block is raised, so that it becomes a status.
    """
    response = None
    try:
        async for block in blocks:
            if response is None:
                response = await begin(request, content_type)
            await response.write(block)
    finally:
        await _close(blocks)
    if response is None:
        response = await begin(request, content_type)
    await response.write_eof()
    return response


async def _close(source: AsyncIterator[Any]) -> None:
    """End an iterator now, not when the garbage collector finds it."""
    if isinstance(source, AsyncGenerator):
        await source.aclose()
