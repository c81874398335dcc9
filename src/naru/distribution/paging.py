"""Lists that come in pages: where the next one is.

Spec: distribution-spec v1.1, "Listing Tags"; RFC 8288.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from urllib.parse import urljoin, urlsplit

import aiohttp

from naru.distribution.session import read_limited
from naru.errors import FaultError

_MAX_PAGES = 1000


async def pages(
    ask: Callable[[str], AbstractAsyncContextManager[aiohttp.ClientResponse]],
    path: str,
    *,
    what: str,
    limit: int,
) -> AsyncIterator[bytes]:
    """Yield the pages of a list of `what`, the first of which is at `path`.

    Raises:
        FaultError: it has more than `limit` bytes in all, goes on for ever, or elsewhere.
    """
    size = 0
    for _ in range(_MAX_PAGES):
        async with ask(path) as response:
            body = await read_limited(response, limit)
            following = _next_page(response)
        size += len(body)
        if size > limit:
            raise FaultError(f"list of {what} is longer than {limit} bytes")
        yield body
        if following is None:
            return
        path = following
    raise FaultError(f"list of {what} has more than {_MAX_PAGES} pages")


def _next_page(response: aiohttp.ClientResponse) -> str | None:
    """Return the URL of the page after this one, None after the last.

    Raises:
        FaultError: it is on another host.
    """
    here = str(response.url)
    try:
        links = response.links
        if "next" not in links:
            return None
        target = urljoin(here, str(links["next"]["url"]))
        stays = urlsplit(target)[:2] == urlsplit(here)[:2]
    except ValueError as error:
        raise FaultError(f"list continues at no address: {error}") from error
    # Our credentials go with the next request: it must stay with the same host.
    if not stays:
        raise FaultError(f"list continues on another host: {target}")
    return target
