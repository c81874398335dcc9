"""The blobs of one image, from the registry into the store and onto disk.

A blob that several pulls want is fetched by one of them. Fetching and unpacking overlap: layers
come three at a time, and each is unpacked as soon as it and all below it are there.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from naru.aio import TaskSet, in_thread, uncancelled
from naru.distribution.fetch import RemoteRepository
from naru.errors import CorruptDataError
from naru.faults import fault_point
from naru.ids import short_id
from naru.images.progress import LayerProgress, Report
from naru.images.services import ImageServices
from naru.images.unpack import LayerSource
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId
from naru.oci.image_config import chain_ids
from naru.store.tar_read import Readable

_AFTER_BLOB = fault_point("images.pull.after_blob")
_AFTER_LAYER = fault_point("images.pull.after_layer")


@dataclass(frozen=True, slots=True)
class BlobPull:
    """Where blobs come from, where they go, and the lease that they are under."""

    services: ImageServices
    remote: RemoteRepository
    lease_id: str

    async def fetch(
        self, descriptor: Descriptor, progress: Callable[[int], None], verifying: Callable[[], None]
    ) -> bool:
        """Make sure that a blob is in the store; say whether it had to be fetched.

        Cancelled or cut off, it keeps what came; the next call goes on there.

        Raises:
            CorruptDataError: the registry sends other bytes than it should, twice.
            NaruError: as `RemoteRepository.blob`.
        """
        digest = descriptor.digest
        async with self.services.locks.hold(f"blob {digest}"):
            self.services.leases.add(self.lease_id, "blob", digest)
            if self.services.content.stat(digest) == descriptor.size:
                return False
            try:
                await self._fetch_once(descriptor, progress, verifying)
            except CorruptDataError:
                # What an earlier try left may be to blame; the bytes are gone by now.
                try:
                    await self._fetch_once(descriptor, progress, verifying)
                except CorruptDataError as error:
                    raise CorruptDataError(
                        f"filesystem layer verification failed for digest {digest}"
                    ) from error
            _AFTER_BLOB()
            return True

    async def _fetch_once(
        self, descriptor: Descriptor, progress: Callable[[int], None], verifying: Callable[[], None]
    ) -> None:
        key = f"pull-{descriptor.digest}"
        self.services.leases.add(self.lease_id, "ingest", key)
        ingest = await in_thread(
            self.services.content.ingest,
            key,
            expected_digest=descriptor.digest,
            expected_size=descriptor.size,
        )
        try:
            await self.remote.blob(descriptor, ingest, progress)
            verifying()
            await uncancelled(in_thread(ingest.commit))
        except CorruptDataError:
            ingest.abort()
            raise
        finally:
            ingest.close()


class LayersPull:
    """All layers of one image."""

    def __init__(
        self,
        blobs: BlobPull,
        layers: Sequence[Descriptor],
        diff_ids: Sequence[DiffId],
        report: Report,
    ) -> None:
        self._blobs = blobs
        self._services = blobs.services
        self._layers = layers
        self._diff_ids = diff_ids
        self._chain = chain_ids(diff_ids)
        self._report = report
        self._slots = asyncio.Semaphore(self._services.parallel_downloads)

    async def run(self) -> list[int]:
        """Fetch and unpack what is missing; return the layers' sizes on disk, lowest first.

        The first failure stops everything else.

        Raises:
            NaruError: as `BlobPull.fetch` and `Unpacker.unpack`.
        """
        self._services.leases.add(self._blobs.lease_id, "snapshot", *self._chain)
        lines = [
            LayerProgress(self._report, self._services.clock, short_id(layer.digest), layer.size)
            for layer in self._layers
        ]
        missing = [position for position in range(len(lines)) if not self._is_here(position)]
        for position, line in enumerate(lines):
            line.say("Pulling fs layer" if position in missing else "Already exists")
        for position in missing[self._services.parallel_downloads :]:
            lines[position].say("Waiting")
        fetching = TaskSet("pull")
        failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        tasks = {
            position: fetching.start(self._fetch(position, lines[position], failed))
            for position in missing
        }
        try:
            for position, task in tasks.items():
                await asyncio.wait([task, failed], return_when=asyncio.FIRST_COMPLETED)
                if failed.done():
                    failed.result()
                await self._unpack(position, lines[position])
        finally:
            failed.cancel()
            await fetching.close()
        return await in_thread(lambda: [self._services.snapshots.usage(c) for c in self._chain])

    def _is_here(self, position: int) -> bool:
        layer = self._layers[position]
        return (
            self._services.snapshots.stat(self._chain[position]) is not None
            and self._services.content.stat(layer.digest) == layer.size
        )

    async def _fetch(
        self, position: int, line: LayerProgress, failed: asyncio.Future[None]
    ) -> None:
        try:
            async with self._slots:
                await self._blobs.fetch(
                    self._layers[position],
                    lambda current: line.move("Downloading", current),
                    lambda: line.say("Verifying Checksum"),
                )
        except Exception as error:  # noqa: BLE001 - raised where the pull waits
            if not failed.done():
                failed.set_exception(error)
        else:
            line.say("Download complete")

    async def _unpack(self, position: int, line: LayerProgress) -> None:
        loop = asyncio.get_running_loop()
        digest = self._layers[position].digest

        def moved(current: int) -> None:
            loop.call_soon_threadsafe(line.move, "Extracting", current)

        @contextlib.contextmanager
        def opened() -> Iterator[Readable]:
            with self._services.content.open(digest) as stream:
                yield _Counting(stream, moved)

        work = in_thread(
            self._services.unpacker.unpack_layer,
            position,
            LayerSource(self._diff_ids[position], opened),
            self._chain[position],
            self._chain[position - 1] if position else None,
            self._blobs.lease_id,
        )
        await uncancelled(work)
        _AFTER_LAYER()
        line.say("Pull complete")


class _Counting:
    """A stream that tells how far it was read."""

    def __init__(self, stream: Readable, moved: Callable[[int], None]) -> None:
        self._stream = stream
        self._moved = moved
        self._position = 0

    def read(self, count: int, /) -> bytes:
        data = self._stream.read(count)
        self._position += len(data)
        if data:
            self._moved(self._position)
        return data
