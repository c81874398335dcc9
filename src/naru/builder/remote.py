"""Where a context comes from: the body of the request, a URL, or a git repository.

Spec: Engine API, ImageBuild, `remote`; moby, builder/remotecontext, for rules and texts.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

from naru.aio import in_thread, uncancelled
from naru.builder.context import unpack_context
from naru.builder.git_context import clone
from naru.distribution.download import download
from naru.errors import InvalidInputError, NaruError, NotSupportedError
from naru.images.layers.compression import detect
from naru.images.layers.intake import read_in_thread
from naru.images.services import ImageServices
from naru.linux import fs
from naru.store.tar_read import TarReader

_GIT = re.compile(r"git://|git@|github\.com/|https?://[^?]+\.git(?:#.*)?$")
_URL = re.compile(r"https?://")
_MAX_TEXT = 4 << 20
_HEAD = 512


async def receive(
    services: ImageServices, remote: str, chunks: AsyncIterator[bytes], folder: Path
) -> str | None:
    """Put a context into an empty folder; or return a Dockerfile that comes without one.

    Raises:
        InvalidInputError: it is none, or cannot be had.
        NotSupportedError: it needs what this builder does not have.
        FaultError: the disk is full or fails.
    """
    if not remote:
        await read_in_thread(chunks, lambda pipe: unpack_context(pipe, folder))
        return None
    if remote == "client-session":
        raise NotSupportedError("a context from a client's session needs BuildKit")
    if _GIT.match(remote):
        await clone(remote, folder, services.http.proxies.environ)
        return None
    if not _URL.match(remote):
        raise InvalidInputError(f"remoteURL ({remote}) could not be recognized as URL")
    return await _download(services, remote, folder)


async def _download(services: ImageServices, url: str, folder: Path) -> str | None:
    path = folder.with_name("download")
    try:
        with await in_thread(path.open, "xb") as file:
            async for chunk in download(services.http, url):
                await in_thread(file.write, chunk)
    except NaruError as error:
        raise InvalidInputError(
            f"error downloading remote context {url}: {error.message}"
        ) from error
    try:
        # It writes into a folder that goes when this build does.
        return await uncancelled(in_thread(_sort, path, folder, url))
    finally:
        await in_thread(fs.remove_tree, path)


def _sort(path: Path, folder: Path, url: str) -> str | None:
    """Unpack what was downloaded, or return its text if it is no archive."""
    with path.open("rb") as file:
        head = file.read(_HEAD)
        file.seek(0)
        is_tar = bool(detect(head))
        if not is_tar:
            with contextlib.suppress(NaruError):
                is_tar = TarReader(file).next() is not None
            file.seek(0)
        if is_tar:
            unpack_context(file, folder)
            return None
        text = file.read(_MAX_TEXT + 1)
    if len(text) > _MAX_TEXT or b"\0" in text:
        raise InvalidInputError(f"remote context {url}: neither an archive nor a Dockerfile")
    if not text.strip():
        raise InvalidInputError("the Dockerfile (Dockerfile) cannot be empty")
    return os.fsdecode(text).encode("utf-8", "surrogateescape").decode("utf-8", "replace")
