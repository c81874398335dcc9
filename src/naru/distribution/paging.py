"""Lists that come in pages: where the next one is.

Spec: distribution-spec v1.1, "Listing Tags"; RFC 8288.
"""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import aiohttp

from naru.errors import FaultError


def next_page(response: aiohttp.ClientResponse) -> str | None:
    """Return the URL of the page after this one, None after the last.

    Raises:
        FaultError: it is on another host.
    """
    if "next" not in response.links:
        return None
    here = str(response.url)
    target = urljoin(here, str(response.links["next"]["url"]))
    # Our credentials go with the next request: it must stay with the same host.
    if urlsplit(target)[:2] != urlsplit(here)[:2]:
        raise FaultError(f"list continues on another host: {target}")
    return target
