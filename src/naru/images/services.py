"""The collaborators of this package in one frozen bundle, and how it is put together."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from naru.aio import KeyedLock, in_thread
from naru.clock import Clock
from naru.db.database import Database
from naru.db.images import ImageRows
from naru.db.leases import Leases
from naru.db.remote_blobs import RemoteBlobs
from naru.distribution.hosts import HostsConfig
from naru.distribution.proxies import Proxies
from naru.distribution.session import HttpClient
from naru.images.catalog import Catalog
from naru.images.garbage import Garbage
from naru.images.layers.settling import Settling
from naru.images.layers.unpack import Unpacker
from naru.images.layout_index import LayoutIndex
from naru.images.progress import Audience
from naru.store.content import ContentStore
from naru.store.snapshotter import Snapshotter
from naru.store.unsettled import UnsettledBlobs

LEASE_LIFE_NS = 24 * 3600 * 10**9


@dataclass(frozen=True, slots=True)
class ImageServices:
    """What every use-case about images is handed. `build` makes it; `http` wants closing."""

    content: ContentStore
    snapshots: Snapshotter
    rows: ImageRows
    leases: Leases
    clock: Clock
    catalog: Catalog
    unpacker: Unpacker
    garbage: Garbage
    index: LayoutIndex
    unsettled: UnsettledBlobs
    settling: Settling
    http: HttpClient
    locks: KeyedLock
    remote_blobs: RemoteBlobs
    audience: Audience = field(default_factory=Audience)
    """Hears of what pulls and pushes do for each other, by the keys of `locks`."""
    pulls: Counter[str] = field(default_factory=Counter)
    """How many pulls go on under each lease: the last one says what becomes of it."""
    parallel_downloads: int = 3
    early_unpacks: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(12))
    """Bounds the layers that are unpacked while they come, of all pulls together: each takes
    two threads and some megabytes. Who finds it taken unpacks later, one layer at a time."""
    parallel_uploads: int = 5
    push_compression: str = "gzip"

    @contextlib.contextmanager
    def lease(self, owner: str) -> Iterator[str]:
        """Give a lease for the length of the block. Its content is collectable afterwards."""
        lease_id = f"{owner}-{secrets.token_hex(8)}"
        self.take_lease(lease_id, owner)
        try:
            yield lease_id
        finally:
            self.leases.release(lease_id)

    def take_lease(self, lease_id: str, owner: str) -> None:
        """Take a lease for a day, or make one that exists last a day from now."""
        expires = self.clock.now_ns() + LEASE_LIFE_NS
        self.leases.take(lease_id, owner=owner, expires_ns=expires)

    async def close(self) -> None:
        """Close the connections to registries, and let freeing end. Idempotent."""
        await self.http.close()
        await in_thread(self.garbage.close)


def build(
    content: ContentStore,
    snapshots: Snapshotter,
    database: Database,
    clock: Clock,
    hosts: HostsConfig,
    *,
    proxies: Proxies | None = None,
    parallel_downloads: int = 3,
    download_attempts: int = 5,
    parallel_uploads: int = 5,
    push_compression: str = "gzip",
) -> ImageServices:
    """Put the collaborators together. Does no work: `naru.images.recover` comes next."""
    rows, leases = ImageRows(database), Leases(database)
    remote_blobs = RemoteBlobs(database)
    unsettled = UnsettledBlobs(content, database)
    garbage = Garbage(database, content, snapshots, rows, remote_blobs, unsettled, clock)
    index = LayoutIndex(content, rows)
    catalog = Catalog(
        rows,
        content,
        clock,
        changed=index.refresh,
        collect=garbage.collect_layers,
        settle=unsettled.settle,
    )
    return ImageServices(
        content=content,
        snapshots=snapshots,
        rows=rows,
        leases=leases,
        clock=clock,
        catalog=catalog,
        unpacker=Unpacker(snapshots, leases),
        garbage=garbage,
        index=index,
        unsettled=unsettled,
        settling=Settling(snapshots, unsettled),
        http=HttpClient(hosts, attempts=download_attempts, proxies=proxies),
        locks=KeyedLock(),
        remote_blobs=remote_blobs,
        parallel_downloads=parallel_downloads,
        parallel_uploads=parallel_uploads,
        push_compression=push_compression,
    )
