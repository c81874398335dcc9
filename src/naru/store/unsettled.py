"""Blobs that have their names before they are on the disk, and the notes that say so.

A load is spared the wait for its disk: its blobs are noted here, before any image names them, and
written to the disk some seconds later, all in one go. What a power cut finds noted, the next start
reads, and does without if it is not what its digest says: see `naru.images.recover`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from naru.db.database import Database
from naru.db.unsettled_blobs import UnsettledBlobRows
from naru.errors import FaultError, reason_of
from naru.linux import durability
from naru.oci.digest import Digest
from naru.store.content import ContentStore


class UnsettledBlobs:
    """The blobs of one store. Any thread may call."""

    def __init__(self, content: ContentStore, database: Database) -> None:
        self._content = content
        self._rows = UnsettledBlobRows(database)
        self._boot = durability.boot_id()
        self.on_add: Callable[[], object] = lambda: None

    def add(self, *digests: Digest) -> None:
        """Note blobs that are in the store, and are named by nothing that was noted later."""
        self._rows.add(digests, self._boot)
        self.on_add()

    def settle(self, *, but: Iterable[Digest] = ()) -> int:
        """Write all of them to the disk, and note that they are; return how many.

        For those `but`, which are about to go, nothing has to be done. Takes as long as the disk
        needs for all that was written to it of late, by anybody; no time if there are none.

        Raises:
            FaultError: the disk fails; nothing is noted.
        """
        self._rows.remove(but)
        noted = self._rows.all()
        if noted:
            root = self._content.root
            try:
                durability.sync_filesystem(root)
            except OSError as error:
                raise FaultError(f"sync blobs: {root}: {reason_of(error)}") from error
            self._rows.remove(noted)
        return len(noted)

    def noted(self, *, before_boot: bool) -> list[Digest]:
        """Return the blobs that may not be on the disk.

        With `before_boot`, those written before the machine was last started: they are what a
        power cut has left of them.
        """
        rows = self._rows.all().items()
        return [digest for digest, boot in rows if not before_boot or boot != self._boot]

    def forget(self, digests: Iterable[Digest]) -> None:
        """Take notes away, of blobs that are on the disk or in the store no more. Idempotent."""
        self._rows.remove(digests)
