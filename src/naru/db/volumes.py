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
