"""ADD of a URL: one file from the web into a folder of the build."""

from __future__ import annotations

import hashlib
import posixpath
from pathlib import Path
from urllib.parse import unquote, urlsplit

from naru.aio import in_thread
from naru.distribution.download import download
from naru.errors import InvalidInputError, NaruError, NotSupportedError
from naru.images.services import ImageServices
from naru.oci.digest import parse_digest

_NAMELESS = "__unnamed__"


def is_url(text: str) -> bool:
    """Say whether a source of ADD is no path.

    Raises:
        NotSupportedError: it is a git repository.
    """
    lowered = text.lower()
    is_web = lowered.startswith(("http://", "https://"))
    if lowered.startswith(("git://", "git@", "ssh://")) or (
        is_web and urlsplit(text).path.endswith(".git")
    ):
        raise NotSupportedError(f"ADD of a git repository is not supported: {text}")
    return is_web


async def fetch(
    services: ImageServices, url: str, folder: Path, destination: str, checksum: str
) -> str:
    """Download a file into `folder`, and return its name there. Only its owner may read it.

    Raises:
        InvalidInputError: it cannot be had, has no name, or not the checksum.
    """
    name = posixpath.basename(unquote(urlsplit(url).path))
    if not name or name in (".", "..") or "\0" in name:
        if destination.endswith("/"):
            raise InvalidInputError(f"cannot determine filename for source {url}")
        name = _NAMELESS
    path = folder / name
    digest = hashlib.sha256()
    try:
        with await in_thread(path.open, "xb") as file:
            async for chunk in download(services.http, url):
                digest.update(chunk)
                await in_thread(file.write, chunk)
    except NaruError as error:
        raise InvalidInputError(error.message) from error
    path.chmod(0o600)
    if checksum and parse_digest(checksum) != f"sha256:{digest.hexdigest()}":
        raise InvalidInputError(f"digest mismatch sha256:{digest.hexdigest()}: {checksum}")
    return name
