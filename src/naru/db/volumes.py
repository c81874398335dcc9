"""Rows of volumes. Owner: `volumes`."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

import msgspec

from naru.db.database import Database


@dataclass(frozen=True, slots=True)
class VolumeRow:
    """A volume; one that `is_leaving` is being removed and exists for nobody."""

    name: str
    driver: str
    created_ns: int
    options: dict[str, str]
    labels: dict[str, str]
    is_leaving: bool = False


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """A snapshot of a volume; one that is not whole exists for nobody."""

    name: str
    created_ns: int
    is_whole: bool


class VolumeRows:
    """The table of the volumes package."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[VolumeRow]:
        """Return all volumes by name, those that are leaving too."""
        return [_row(row) for row in self._database.rows("SELECT * FROM volumes ORDER BY name")]

    def get(self, name: str) -> VolumeRow | None:
        """Return one volume, or None."""
        row = self._database.row("SELECT * FROM volumes WHERE name = ?", (name,))
        return _row(row) if row else None

    def add(self, row: VolumeRow) -> bool:
        """Write a volume; False when the name is taken, and then nothing is written."""
        return bool(
            self._database.execute(
                "INSERT OR IGNORE INTO volumes VALUES (?, ?, ?, ?, ?, ?)",
                (
                    row.name,
                    row.driver,
                    row.created_ns,
                    msgspec.json.encode(row.options).decode(),
                    msgspec.json.encode(row.labels).decode(),
                    int(row.is_leaving),
                ),
            )
        )

    def sync(self) -> None:
        """Make what is written survive a power cut. Blocks on the disk."""
        self._database.sync()

    def mark_leaving(self, name: str, *, is_leaving: bool = True) -> None:
        """Note that a volume is being removed, or that it stays after all."""
        self._database.execute(
            "UPDATE volumes SET is_leaving = ? WHERE name = ?", (int(is_leaving), name)
        )

    def begin_use(self, name: str, user: str) -> bool:
        """Note that `user` is about to use a volume; False when that was noted already."""
        return bool(
            self._database.execute("INSERT OR IGNORE INTO volume_uses VALUES (?, ?)", (name, user))
        )

    def end_use(self, name: str, user: str) -> None:
        """Forget that `user` uses a volume. Idempotent."""
        self._database.execute(
            "DELETE FROM volume_uses WHERE volume = ? AND user = ?", (name, user)
        )

    def users(self, name: str) -> list[str]:
        """Return who uses a volume, sorted."""
        rows = self._database.rows(
            "SELECT user FROM volume_uses WHERE volume = ? ORDER BY user", (name,)
        )
        return [row["user"] for row in rows]

    def uses(self) -> list[tuple[str, str]]:
        """Return all uses: volume and user."""
        rows = self._database.rows("SELECT volume, user FROM volume_uses ORDER BY volume, user")
        return [(row["volume"], row["user"]) for row in rows]

    def snapshots(self, volume: str) -> list[SnapshotRow]:
        """Return the snapshots of a volume, the oldest first, those that are not whole too."""
        rows = self._database.rows(
            "SELECT * FROM volume_snapshots WHERE volume = ? ORDER BY created_ns, name", (volume,)
        )
        return [SnapshotRow(row["name"], row["created_ns"], bool(row["is_whole"])) for row in rows]

    def add_snapshot(self, volume: str, name: str, created_ns: int) -> bool:
        """Write a snapshot that is not whole yet; False when the name is taken."""
        return bool(
            self._database.execute(
                "INSERT OR IGNORE INTO volume_snapshots VALUES (?, ?, ?, 0)",
                (volume, name, created_ns),
            )
        )

    def mark_snapshot(self, volume: str, name: str, *, is_whole: bool) -> None:
        """Note that a snapshot is whole, or is on its way out."""
        self._database.execute(
            "UPDATE volume_snapshots SET is_whole = ? WHERE volume = ? AND name = ?",
            (int(is_whole), volume, name),
        )

    def delete_snapshot(self, volume: str, name: str) -> None:
        """Forget a snapshot. Idempotent."""
        self._database.execute(
            "DELETE FROM volume_snapshots WHERE volume = ? AND name = ?", (volume, name)
        )

    def delete(self, name: str) -> None:
        """Forget a volume, its users and its snapshots. Idempotent."""
        self._database.execute("DELETE FROM volumes WHERE name = ?", (name,))


def _row(row: sqlite3.Row) -> VolumeRow:
    return VolumeRow(
        name=row["name"],
        driver=row["driver"],
        created_ns=row["created_ns"],
        options=msgspec.json.decode(row["options"], type=dict[str, str]),
        labels=msgspec.json.decode(row["labels"], type=dict[str, str]),
        is_leaving=bool(row["is_leaving"]),
    )
