"""`RUN --mount`: what a command sees beside the image, and what of it is never committed.

Spec: Dockerfile reference, "RUN --mount".
"""

from __future__ import annotations

import contextlib
import os
import posixpath
from collections.abc import AsyncIterator
from pathlib import Path

from naru.aio import in_thread
from naru.api.host_config import ImageOptions, Mount, TmpfsOptions
from naru.builder.build import Build, StageState
from naru.builder.checksum import place_of
from naru.builder.origins import find_origin
from naru.builder.sources import Selection, Tree, combined_checksum
from naru.dockerfile.instructions import Run, RunMount
from naru.errors import InvalidInputError, NotSupportedError
from naru.linux import safe_path
from naru.units import parse_bytes


class RunMounts:
    """The mounts of one RUN."""

    def __init__(self, build: Build, stage: StageState, run: Run) -> None:
        """Take the mounts of a step.

        Raises:
            NotSupportedError: one of them needs what a client of this API cannot send.
        """
        self._build = build
        self._stage = stage
        self._mounts = run.mounts
        for mount in run.mounts:
            if mount.type in ("secret", "ssh"):
                raise NotSupportedError(
                    f"RUN --mount=type={mount.type} needs a session with BuildKit's client, "
                    "which this builder does not have"
                )
            if mount.type == "bind" and not mount.read_only:
                raise NotSupportedError("RUN --mount=type=bind,rw is not supported")
            if mount.type == "cache" and (mount.origin or mount.source):
                raise NotSupportedError("RUN --mount=type=cache,from= is not supported")

    async def inputs(self) -> list[str]:
        """Return what tells whether the step would see the same again.

        Raises:
            InvalidInputError: what is to be mounted is not there.
        """
        found = []
        for mount in self._mounts:
            words = [
                mount.type,
                mount.target,
                mount.source,
                *sorted(map("=".join, mount.options.items())),
            ]
            if mount.type == "bind":
                if mount.origin:
                    image = await find_origin(self._build, self._stage, mount.origin)
                    words.append(image.id if image else "")
                else:
                    words.append(await in_thread(self._checksum, mount))
            found.append(" ".join(words))
        return found

    def _checksum(self, mount: RunMount) -> str:
        root = os.open(self._context(), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            selection = Selection(Tree(root), keeps_parents=False)
            return combined_checksum(selection.find([mount.source or "."]))
        finally:
            os.close(root)

    def _context(self) -> Path:
        if self._build.context is None:
            raise InvalidInputError("missing build context")
        return self._build.context

    @contextlib.asynccontextmanager
    async def prepared(self) -> AsyncIterator[list[Mount]]:
        """Give the mounts in the API's words, for as long as the step runs."""
        async with contextlib.AsyncExitStack() as stack:
            yield [await self._prepare(mount, stack) for mount in self._mounts]

    async def _prepare(self, mount: RunMount, stack: contextlib.AsyncExitStack) -> Mount:
        target = posixpath.join("/", self._stage.config.working_dir, mount.target)
        match mount.type:
            case "tmpfs":
                size = parse_bytes(mount.options.get("size", "0"))
                options = TmpfsOptions(size_bytes=size)
                return Mount(type="tmpfs", target=target, tmpfs_options=options)
            case "cache":
                folder = await stack.enter_async_context(self._build.services.caches.use(mount))
                return Mount(
                    type="bind", source=str(folder), target=target, read_only=mount.read_only
                )
            case _:
                return await self._bind(mount, target)

    async def _bind(self, mount: RunMount, target: str) -> Mount:
        if mount.origin:
            image = await find_origin(self._build, self._stage, mount.origin)
            if image is None:
                raise InvalidInputError(f"cannot mount from {mount.origin}: it has no files")
            subpath = posixpath.normpath(mount.source).lstrip("/") if mount.source else ""
            return Mount(
                type="image",
                source=image.id,
                target=target,
                image_options=ImageOptions(subpath="" if subpath == "." else subpath),
            )
        path = await in_thread(self._real_path, mount)
        return Mount(type="bind", source=str(path), target=target, read_only=True)

    def _real_path(self, mount: RunMount) -> Path:
        """Return where a source of the context is, after links that its sender may have made."""
        context = self._context()
        root = os.open(context, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            found = safe_path.open_at(root, mount.source or ".", os.O_PATH)
            try:
                return context / os.fsdecode(b"/".join(filter(None, place_of(root, found))))
            finally:
                os.close(found)
        finally:
            os.close(root)
