"""A plain file from a URL, as `docker import URL` fetches it. No registry is involved."""

from __future__ import annotations

from collections.abc import AsyncIterator

from naru.distribution.hosts import shown, stranger_at
from naru.distribution.pace import paced
from naru.distribution.session import HttpClient
from naru.errors import FaultError, InvalidInputError


async def download(client: HttpClient, url: str) -> AsyncIterator[bytes]:
    """Yield the body of `url`; without a scheme it is http, as in Docker.

    Raises:
        InvalidInputError: `url` is none that we fetch.
        RegistryUnreachableError: no answer, or it broke off or only drips.
        FaultError: the server says no.
    """
    whole = url if "://" in url else f"http://{url}"
    scheme = whole.partition("://")[0]
    if scheme not in ("http", "https"):
        raise InvalidInputError(f'Get "{shown(url)}": unsupported protocol scheme "{scheme}"')
    async with client.send(stranger_at(whole), "GET", whole) as response:
        if response.status >= 400:
            raise FaultError(
                f"Got HTTP status code >= 400: {response.status} {response.reason or ''}".rstrip()
            )
        async for chunk in paced(response):
            yield chunk
