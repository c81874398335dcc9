"""The archive routes under /containers: a path's description, its tar, and a tar put there."""

from __future__ import annotations

from naru.api.path_stat import HEADER, MATCHES_HEADER
from naru.client import json_text
from naru.client.transport import quote
from naru.errors import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from naru.client.transport import Client
    from naru.client.wire import Response


class PathArchive:
    """A tar on its way; release its `response` on the client afterwards.

    `matches` is the number of paths that fit a pattern, 0 where none was asked for.
    """

    def __init__(self, response: Response) -> None:
        self.response = response
        self.stat = _stat(response.headers)
        self.matches = int(response.headers.get(MATCHES_HEADER.lower(), "0"))

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.response)


def stat_path(client: Client, container: str, path: str) -> dict[str, Any]:
    """Return the description of a path: `name`, `size`, `mode`, `mtime`, `linkTarget`."""
    return _stat(client.head(_route(container), {"path": path}))


def get(client: Client, container: str, path: str, *, is_pattern: bool = False) -> PathArchive:
    """Return the tar of a path, or of all that fits a pattern."""
    query = {"path": path, "pattern": True if is_pattern else None}
    return PathArchive(client.raw("GET", _route(container), query))


def put(client: Client, container: str, path: str, body: Iterable[bytes]) -> None:
    """Extract a tar into a directory; no directory takes the place of a file, nor a file of one."""
    query = {"path": path, "noOverwriteDirNonDir": "true"}
    client.put(_route(container), query, body, {"Content-Type": "application/x-tar"})


def _route(container: str) -> str:
    return f"/containers/{quote(container)}/archive"


def _stat(headers: Mapping[str, str]) -> dict[str, Any]:
    from binascii import a2b_base64

    try:
        found: dict[str, Any] = json_text.loads(a2b_base64(headers.get(HEADER.lower(), "")))
        found["mode"] = int(found["mode"])
    except (ValueError, KeyError) as error:
        raise FaultError(f"unable to decode container path stat header: {error}") from error
    return found
