"""Rows about blobs in registries: who has which, and what plain layers are called there.

Hints, not truths: a registry may have lost a blob since. Owner: images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from naru.db.database import Database
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest

_PLACES_KEPT = 16


class RemoteBlobs:
    """The tables `blob_places` and `compressed_layers`. Any thread may call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def saw(self, registry: str, repository: str, digests: Iterable[Digest], now_ns: int) -> None:
        """Remember that a repository has these blobs. Of each the latest few places are kept."""
        with self._database.write():
            for digest in digests:
                self._database.execute(
                    "INSERT OR REPLACE INTO blob_places VALUES (?, ?, ?, ?)",
                    (digest, registry, repository, now_ns),
                )
                self._database.execute(
                    "DELETE FROM blob_places WHERE digest = ?1 AND (registry, repository) NOT IN"
                    " (SELECT registry, repository FROM blob_places WHERE digest = ?1"
                    " ORDER BY seen_ns DESC LIMIT ?2)",
                    (digest, _PLACES_KEPT),
                )

    def missed(self, registry: str, repository: str, digest: Digest) -> None:
        """Forget that a repository has a blob: it has not. Idempotent."""
        self._database.execute(
            "DELETE FROM blob_places WHERE digest = ? AND registry = ? AND repository = ?",
            (digest, registry, repository),
        )

    def is_known(self, digest: Digest) -> bool:
        """Say whether any registry was seen to have a blob."""
        row = self._database.row("SELECT 1 FROM blob_places WHERE digest = ?", (digest,))
        return row is not None

    def repositories(self, digest: Digest, registry: str) -> list[str]:
        """Return the repositories of a registry that have a blob, the one seen last first."""
        rows = self._database.rows(
            "SELECT repository FROM blob_places WHERE digest = ? AND registry = ?"
            " ORDER BY seen_ns DESC, repository",
            (digest, registry),
        )
        return [row["repository"] for row in rows]

    def set_compressed(self, diff_id: DiffId, compression: str, blob: Descriptor) -> None:
        """Remember what a layer becomes by a compression."""
        self._database.execute(
            "INSERT OR REPLACE INTO compressed_layers VALUES (?, ?, ?, ?)",
            (diff_id, compression, blob.digest, blob.size),
        )

    def compressed(self, diff_id: DiffId, compression: str) -> Descriptor | None:
        """Return what a layer became by a compression, without a media type."""
        row = self._database.row(
            "SELECT digest, size_bytes FROM compressed_layers"
            " WHERE diff_id = ? AND compression = ?",
            (diff_id, compression),
        )
        return Descriptor(digest=Digest(row["digest"]), size=row["size_bytes"]) if row else None

    def forget_others(self, is_stored: Callable[[Digest], bool]) -> None:
        """Drop what is remembered of blobs that are neither stored nor made of one that is."""
        rows = self._database.rows("SELECT DISTINCT diff_id, digest FROM compressed_layers")
        made = {row["digest"]: row["diff_id"] for row in rows}
        gone = {diff_id for diff_id in made.values() if not is_stored(Digest(diff_id))}
        kept = {digest for digest, diff_id in made.items() if diff_id not in gone}
        rows = self._database.rows("SELECT DISTINCT digest FROM blob_places")
        unknown = [
            row["digest"]
            for row in rows
            if row["digest"] not in kept and not is_stored(Digest(row["digest"]))
        ]
        if not (gone or unknown):
            return
        with self._database.write():
            for diff_id in gone:
                self._database.execute(
                    "DELETE FROM compressed_layers WHERE diff_id = ?", (diff_id,)
                )
            for digest in unknown:
                self._database.execute("DELETE FROM blob_places WHERE digest = ?", (digest,))
