"""Rows about blobs that may not be on the disk yet. Owner: store."""

from __future__ import annotations

from collections.abc import Iterable

from naru.db.database import Database
from naru.oci.digest import Digest


class UnsettledBlobRows:
    """The table `unsettled_blobs`. Any thread may call; all changes join the open transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, digests: Iterable[Digest], boot: str) -> None:
        """Note that blobs were written in this `boot`. Idempotent; the latest boot counts."""
        with self._database.write():
            for digest in digests:
                self._database.execute(
                    "INSERT OR REPLACE INTO unsettled_blobs VALUES (?, ?)", (digest, boot)
                )

    def all(self) -> dict[Digest, str]:
        """Return what is noted: digests with their boots."""
        rows = self._database.rows("SELECT digest, boot FROM unsettled_blobs")
        return {Digest(row["digest"]): row["boot"] for row in rows}

    def remove(self, digests: Iterable[Digest]) -> None:
        """Take notes away. Idempotent."""
        with self._database.write():
            for digest in digests:
                self._database.execute("DELETE FROM unsettled_blobs WHERE digest = ?", (digest,))
