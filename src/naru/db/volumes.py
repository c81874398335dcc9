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

    def mark_leaving(self, name: str) -> None:
        """Note that a volume is being removed."""
        self._database.execute("UPDATE volumes SET is_leaving = 1 WHERE name = ?", (name,))

    def delete(self, name: str) -> None:
        """Forget a volume. Idempotent."""
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
