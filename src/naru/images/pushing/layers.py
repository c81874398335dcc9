"""The blobs of one image on their way into a repository, as far as they are not there.

A blob is asked for first, then mounted from where the registry has it already, and sent only
when neither helps. Plain layers of our own are compressed while they are sent; the digest that
they come to is remembered, so that the next push need not compress them to ask for them.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from naru.aio import TaskSet, ended, in_own_thread, in_thread, uncancelled
from naru.distribution.upload import Answer, RepositoryWriter
from naru.distribution.upload_session import PIECE_SIZE, BlobSource, BlobUpload
from naru.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    NotSupportedError,
    UnauthenticatedError,
)
from naru.faults import fault_point
from naru.images.progress import Hear, LayerProgress
from naru.images.pushing.manifest import is_foreign
from naru.images.pushing.sources import CompressedLayer, StoredBlob
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest

_AFTER_LAYER = fault_point("images.push.after_layer")
_MOUNTS_TRIED = 3
# A registry that does not let us look at the other repository may still take the blob.
_NO_MOUNT = (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    NotSupportedError,
    UnauthenticatedError,
)


@dataclass(frozen=True, slots=True)
class PushedLayer:
    """A layer to be pushed: how it is stored, and whether it goes out as it is."""

    diff_id: DiffId
    stored: Descriptor
    is_kept: bool


class BlobPush:
    """Brings blobs into one repository."""

    def __init__(self, services: ImageServices, writer: RepositoryWriter) -> None:
        self._services = services
        self._writer = writer
        self._place = (writer.registry, writer.repository)

    async def layer(self, layer: PushedLayer, line: LayerProgress) -> Descriptor:
        """Bring a layer there; return what it is there.

        Raises:
            NotFoundError, CorruptDataError: the store lacks it, or has other bytes.
            NaruError: as `BlobUpload.run`.
        """
        if is_foreign(layer.stored):
            line.say("Skipped foreign layer")
            return layer.stored
        async with self._turn(layer.diff_id, line.hear) as tell:
            if layer.is_kept:
                await self._stored(layer.stored, tell)
                return layer.stored
            return await self._plain(layer.diff_id, tell)

    async def config(self, blob: Descriptor) -> None:
        """Bring a small blob there, without a word. Raises as `layer`."""
        async with self._turn(blob.digest, lambda *_: None) as tell:
            await self._stored(blob, tell)

    @contextlib.asynccontextmanager
    async def _turn(self, digest: Digest, hear: Hear) -> AsyncIterator[Hear]:
        """Wait until no other push brings this there; `hear` is told how that comes along.

        Gives what tells all who wait how this push does.
        """
        key = f"push {self._place} {digest}"
        with self._services.audience.listening(key, hear):
            async with self._services.locks.hold(key):
                yield functools.partial(self._services.audience.tell, key)

    async def _stored(self, blob: Descriptor, tell: Hear) -> None:
        is_there, begun = await self._find(blob.digest, tell)
        if is_there:
            return
        with contextlib.closing(
            await in_thread(StoredBlob, self._services.content, blob)
        ) as source:
            await self._send(source, begun, tell, lambda sent: sent)

    async def _plain(self, diff_id: DiffId, tell: Hear) -> Descriptor:
        """Bring a layer there that is stored plain, and to be compressed."""
        services, compression = self._services, self._services.push_compression
        known = services.remote_blobs.compressed(diff_id, compression)
        begun: Answer | None = None
        if known is not None:
            is_there, begun = await self._find(known.digest, tell)
            if is_there:
                return _typed(known, compression)
        async with self._compressing(diff_id, compression) as source:
            is_there = False
            await source.ready(PIECE_SIZE)
            if known is None and source.size is not None:
                # What is done before anything was sent may turn out to be there.
                is_there, begun = await self._find(source.digest, tell)
            if not is_there:
                await self._send(source, begun, tell, source.plain_part)
            assert source.size is not None, "all of it was sent"
            blob = Descriptor(digest=source.digest, size=source.size)
        services.remote_blobs.set_compressed(diff_id, compression, blob)
        return _typed(blob, compression)

    @contextlib.asynccontextmanager
    async def _compressing(
        self, diff_id: DiffId, compression: str
    ) -> AsyncIterator[CompressedLayer]:
        source = CompressedLayer(self._services.content, diff_id, compression)
        tasks = TaskSet("push")
        working = tasks.start(in_own_thread(source.work))
        try:
            yield source
        finally:
            source.stop()
            # The thread reads and writes files that are about to be closed.
            await uncancelled(ended(working))
            source.close()

    async def _find(self, digest: Digest, tell: Hear) -> tuple[bool, Answer | None]:
        """Say whether the repository has the blob now, and if not, what was begun to send it."""
        blobs = self._services.remote_blobs
        if await self._writer.has_blob(digest):
            self._arrived(digest)
            tell("Layer already exists", None)
            return True, None
        blobs.missed(*self._place, digest)
        begun: Answer | None = None
        for repository in blobs.repositories(digest, self._writer.registry)[:_MOUNTS_TRIED]:
            if begun is not None:
                await self._writer.cancel_upload(begun)
                begun = None
            try:
                begun = await self._writer.mount(digest, repository)
            except _NO_MOUNT:
                continue
            if begun is None:
                self._arrived(digest)
                tell(f"Mounted from {repository}", None)
                return True, None
            blobs.missed(self._writer.registry, repository, digest)
        return False, begun

    async def _send(
        self,
        source: BlobSource,
        begun: Answer | None,
        tell: Hear,
        part: Callable[[int], int],
    ) -> None:
        upload = BlobUpload(
            self._writer,
            source,
            sent=lambda count: tell("Pushing", part(count)),
            pausing=lambda seconds: tell(f"Retrying in {seconds:g} seconds", None),
        )
        await upload.run(begun)
        self._arrived(source.digest)
        _AFTER_LAYER()
        tell("Pushed", None)

    def _arrived(self, digest: Digest) -> None:
        now = self._services.clock.now_ns()
        self._services.remote_blobs.saw(*self._place, [digest], now)


def _typed(blob: Descriptor, compression: str) -> Descriptor:
    kind = mediatype.OCI_LAYERS[compression]
    return Descriptor(media_type=kind, digest=blob.digest, size=blob.size)
