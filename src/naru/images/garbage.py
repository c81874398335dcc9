"""What images keep alive, and the collection of everything else. For worker threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

from naru.aio import Backlog
from naru.clock import Clock
from naru.db.database import Database
from naru.db.images import ImageRows
from naru.db.leases import Leases
from naru.db.remote_blobs import RemoteBlobs
from naru.linux.fs import free_bytes, is_nearly_full
from naru.oci.digest import ChainId, Digest
from naru.store.content import ContentStore
from naru.store.gc import Collected, LinkReader, Reachable, Roots, mark, sweep
from naru.store.snapshotter import Snapshotter
from naru.store.unsettled import UnsettledBlobs

_DELAY_S = 2.0
_MUCH = 4 << 30
"""Bytes. More than anybody writes until the freeing begins."""


class Garbage:
    """Frees what no image, no lease and no container leads to. One per engine."""

    def __init__(
        self,
        database: Database,
        content: ContentStore,
        snapshots: Snapshotter,
        rows: ImageRows,
        remote_blobs: RemoteBlobs,
        unsettled: UnsettledBlobs,
        clock: Clock,
    ) -> None:
        self._database = database
        self._content = content
        self._snapshots = snapshots
        self._rows = rows
        self._remote_blobs = remote_blobs
        self._unsettled = unsettled
        self._clock = clock
        self._leases = Leases(database)
        self._links = LinkReader(content)
        self._lock = threading.Lock()
        self._freeing = Backlog("naru-freeing")

    def collect(self) -> Collected:
        """Remove all garbage, and say what it was when its space is free. Idempotent.

        Raises:
            FaultError: the disk fails.
        """
        collected, free = self._sweep()
        free()
        return collected

    def collect_layers(self) -> list[ChainId]:
        """Remove all garbage, and return the layers among it, topmost first.

        Its space is freed some seconds later: deleting a big tree takes longer than users want
        to wait for a removal, and as long again from what they do next, which often is a load or
        a pull. Where little is free that begins at once, and on a disk that is nearly full it is
        done when this returns, because then they remove to make room. Who needs the space in any
        case waits with `settle`.

        Raises:
            FaultError: the disk fails.
        """
        collected, free = self._sweep()
        has_room = free_bytes(self._content.root) >= _MUCH
        self._freeing.add(free, delay_s=_DELAY_S if has_room else 0.0)
        if is_nearly_full(self._content.root):
            self.settle()
        return [ChainId(Digest(name)) for name in collected.snapshots]

    def settle(self) -> None:
        """Wait until the space of all that was removed so far is free."""
        self._freeing.settle()

    def close(self) -> None:
        """End freeing; what is left is done by the next start. Idempotent."""
        self._freeing.close()

    def _sweep(self) -> tuple[Collected, Callable[[], None]]:
        with self._lock:
            swept = sweep(
                self._database,
                self._content,
                self._snapshots,
                roots=self._roots,
                links=self._links,
                now_ns=self._clock.now_ns(),
                settle=lambda going: self._unsettled.settle(but=going),
            )
            self._remote_blobs.forget_others(lambda digest: self._content.stat(digest) is not None)
            return swept

    def reachable(self) -> Reachable:
        """Return what a collection would leave now. Others may work meanwhile.

        What appears after the call began may be missing, and what goes may be in it.
        """
        # A pull names its image before it ends its lease: asked the other way round, what it
        # brings would seem to be nobody's in between.
        leased = [Digest(item) for item in self._leases.items("blob")]
        leased_snapshots = self._leases.items("snapshot")
        known = list(self._snapshots.walk())
        roots = self._roots()
        return mark(
            [*roots.manifests, *leased],
            [
                *roots.snapshots,
                *leased_snapshots,
                *(info.key for info in known if info.kind != "committed"),
            ],
            links=self._links,
            parents={info.key: info.parent for info in known},
        )

    def _roots(self) -> Roots:
        manifests: set[Digest] = set()
        chains: set[str] = set()
        for row in self._rows.all():
            # The config is named by the manifest; a damaged manifest must not cost the image.
            manifests |= {row.manifest_digest, row.image_id}
            if row.chain_id:
                chains.add(row.chain_id)
        for name in self._rows.names():
            if name.reference.digest:
                manifests.add(name.reference.digest)
            if name.manifest_digest:
                manifests.add(Digest(name.manifest_digest))
        return Roots(manifests=manifests, snapshots=chains)
