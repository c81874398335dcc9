"""Blobs of one pull, from the registry into the store.

A blob that several pulls want is fetched by one of them; the others wait and see how it comes,
and one of them goes on where it stopped if it gives up.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

from naru.aio import in_thread, uncancelled
from naru.distribution.fetch import RemoteRepository
from naru.errors import CorruptDataError
from naru.faults import fault_point
from naru.images.layers.arrival import Arrival
from naru.images.progress import Hear
from naru.images.services import ImageServices
from naru.oci.descriptor import Descriptor

_AFTER_BLOB = fault_point("images.pull.after_blob")


@dataclass(frozen=True, slots=True)
class Watcher:
    """Who wants to know of a fetch: on the loop, but for the readers of `arrival`."""

    hear: Hear = lambda *_: None
    arrival: Arrival = field(default_factory=Arrival)


@dataclass(frozen=True, slots=True)
class BlobPull:
    """Where blobs come from, where they go, and the lease that they are under."""

    services: ImageServices
    remote: RemoteRepository
    lease_id: str

    async def fetch(self, descriptor: Descriptor, watcher: Watcher, *, anew: bool = False) -> bool:
        """Make sure that a blob is in the store; say whether it had to be fetched.

        With `anew` it is fetched whatever is there, which the fresh bytes take the place of.
        Cancelled or cut off, it keeps what came; the next call goes on there. The bytes can be
        read from the watcher's arrival before they are verified, which ends when they are.

        Raises:
            CorruptDataError: the registry sends other bytes than it should, twice.
            NaruError: as `RemoteRepository.blob`.
        """
        try:
            with self.services.audience.listening(_key(descriptor), watcher.hear):
                fetched = await self._fetch(descriptor, watcher, anew=anew)
        except BaseException as error:
            watcher.arrival.end(error)
            raise
        watcher.arrival.end()
        return fetched

    async def _fetch(self, descriptor: Descriptor, watcher: Watcher, *, anew: bool) -> bool:
        digest = descriptor.digest
        async with self.services.locks.hold(_key(descriptor)):
            self.services.leases.add(self.lease_id, "blob", digest)
            if not anew and self.services.content.stat(digest) == descriptor.size:
                watcher.arrival.begin(self.services.content.open(digest), descriptor.size)
                return False
            try:
                await self._fetch_once(descriptor, watcher)
            except CorruptDataError as error:
                # What an earlier try left may be to blame; the bytes are gone by now.
                watcher.arrival.end(error)
                try:
                    await self._fetch_once(descriptor, watcher)
                except CorruptDataError as again:
                    raise CorruptDataError(
                        f"filesystem layer verification failed for digest {digest}"
                    ) from again
            _AFTER_BLOB()
            return True

    async def _fetch_once(self, descriptor: Descriptor, watcher: Watcher) -> None:
        key = f"pull-{descriptor.digest}"
        self.services.leases.add(self.lease_id, "ingest", key)
        ingest = await in_thread(
            self.services.content.ingest,
            key,
            expected_digest=descriptor.digest,
            expected_size=descriptor.size,
        )
        arrival = watcher.arrival
        tell = functools.partial(self.services.audience.tell, _key(descriptor))

        def grown(size: int) -> None:
            arrival.grow(size)
            tell("Downloading", size)

        try:
            if not arrival.has_failed:
                arrival.begin(ingest.reader(), ingest.offset)
            await self.remote.blob(descriptor, ingest, grown)
            tell("Verifying Checksum")
            await uncancelled(in_thread(ingest.commit))
        except CorruptDataError:
            ingest.abort()
            raise
        finally:
            ingest.close()


def _key(descriptor: Descriptor) -> str:
    """Return what a blob is locked and heard of by."""
    return f"blob {descriptor.digest}"
