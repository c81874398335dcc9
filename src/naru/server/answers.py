"""Answers: JSON values, streams of JSON records, streams of bytes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from naru.errors import NaruError

H = TypeVar("H", bound=Callable[..., Any])
_waiting_handlers: set[Any] = set()
_encode = msgspec.json.Encoder().encode


def stops_with_client(handler: H) -> H:
    """Mark a handler that only waits or streams: it is cancelled when its client goes away."""
    _waiting_handlers.add(handler)
    return handler


def ends_with_client(handler: Any) -> bool:
    """Say whether a handler is so marked."""
    return handler in _waiting_handlers


def json_answer(value: Any, *, status: int = 200) -> web.Response:
    """Return a value as JSON."""
    return web.Response(body=_encode(value) + b"\n", status=status, content_type="application/json")


def no_content() -> web.Response:
    """Return success that has nothing to say."""
    return web.Response(status=204)


async def json_stream(
    request: web.Request, records: AsyncIterator[dict[str, Any]], *, at_once: bool = False
) -> web.StreamResponse:
    """Send records one by one as they come.

    An error before the first record is raised, so that it becomes a status; a later one is
    sent as the last record, because the status is spent. `at_once` sends the head before the
    first record comes.
    """
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    if at_once:
        await response.prepare(request)
    try:
        async for record in records:
            if not response.prepared:
                await response.prepare(request)
            await response.write(_encode(record) + b"\r\n")
    except NaruError as error:
        if not response.prepared:
            raise
        detail = {"errorDetail": {"message": error.message}, "error": error.message}
        await response.write(_encode(detail) + b"\r\n")
    finally:
        await _close(records)
    if not response.prepared:
        await response.prepare(request)
    await response.write_eof()
    return response


async def _close(source: AsyncIterator[Any]) -> None:
    """End an iterator now, not when the garbage collector finds it."""
    if isinstance(source, AsyncGenerator):
        await source.aclose()


async def byte_stream(
    request: web.Request, blocks: AsyncIterator[bytes], content_type: str
) -> web.StreamResponse:
    """Send blocks of bytes as they come, until they end or the client goes."""
    response = web.StreamResponse(headers={"Content-Type": content_type})
    await response.prepare(request)
    try:
        async for block in blocks:
            await response.write(block)
        await response.write_eof()
    finally:
        await _close(blocks)
    return response
