"""Leases: what garbage collection must not touch while somebody works with it. Owner: store."""

from __future__ import annotations

from typing import Literal

from naru.db.database import Database

ItemKind = Literal["blob", "snapshot", "ingest"]


class Leases:
    """Who holds what, until when.

    Take the lease before the first byte is written and before asking whether content is there:
    collection decides and deletes inside one transaction, so what is leased then stays, and
    what is found missing afterwards must be fetched.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, lease_id: str, *, owner: str, expires_ns: int) -> None:
        """Make a lease, or move the end of one that exists."""
        self._database.execute(
            "INSERT INTO leases (lease_id, owner, expires_ns) VALUES (?, ?, ?)"
            " ON CONFLICT (lease_id) DO UPDATE SET expires_ns = excluded.expires_ns",
            (lease_id, owner, expires_ns),
        )

    def add(self, lease_id: str, kind: ItemKind, *items: str) -> None:
        """Put blobs, snapshots (keys or names) or ingests (keys) under a lease. Idempotent."""
        with self._database.write():
            for item in items:
                self._database.execute(
                    "INSERT OR IGNORE INTO lease_items (lease_id, kind, item) VALUES (?, ?, ?)",
                    (lease_id, kind, item),
                )

    def release(self, lease_id: str) -> None:
        """End a lease and all that is under it. Idempotent."""
        self._database.execute("DELETE FROM leases WHERE lease_id = ?", (lease_id,))

    def expire(self, now_ns: int) -> int:
        """End the leases whose time is over; return how many."""
        return self._database.execute("DELETE FROM leases WHERE expires_ns <= ?", (now_ns,))

    def leases(self) -> list[tuple[str, str, int]]:
        """Return (lease_id, owner, expires_ns) of all leases."""
        rows = self._database.rows("SELECT lease_id, owner, expires_ns FROM leases")
        return [(row["lease_id"], row["owner"], row["expires_ns"]) for row in rows]

    def items(self, kind: ItemKind, *, lease_id: str | None = None) -> set[str]:
        """Return what is under any lease, or under one."""
        if lease_id is None:
            rows = self._database.rows("SELECT item FROM lease_items WHERE kind = ?", (kind,))
        else:
            rows = self._database.rows(
                "SELECT item FROM lease_items WHERE kind = ? AND lease_id = ?", (kind, lease_id)
            )
        return {row["item"] for row in rows}
