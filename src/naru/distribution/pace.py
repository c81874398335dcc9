"""The body of an answer, for as long as it comes at all: a peer that only drips is left.

Who sends a byte now and then is never silent, and would be waited for for days. Slow lines are
not left: a modem brings several times what is asked for here. Runs on the loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp

from naru.distribution.session import RegistryUnreachableError, asked_for

_WINDOW_S = 60.0
_LEAST_BYTES = 16 << 10


async def paced(response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Yield the body as it comes. What the caller does with a chunk is not held against the peer.

    Raises:
        RegistryUnreachableError: a minute brought less than 16 KiB, and not the end.
    """
    loop = asyncio.get_running_loop()
    chunks = aiter(response.content.iter_any())
    left_s, came = _WINDOW_S, 0
    while True:
        since = loop.time()
        try:
            async with asyncio.timeout(left_s):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            # The socket's own patience may end first, where nothing comes at all.
            raise RegistryUnreachableError(
                f"{asked_for(response)}: {response.url.authority} sent no more than {came} bytes "
                f"in {_WINDOW_S:g} seconds"
            ) from error
        left_s -= loop.time() - since
        came += len(chunk)
        if came >= _LEAST_BYTES:
            left_s, came = _WINDOW_S, 0
        yield chunk
