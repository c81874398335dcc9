"""The table of containers. Owner: `naru.engine`.

Rows carry two JSON documents: `record`, which changes seldom, and `state`, which changes with
every start and exit. This module neither reads nor writes their insides.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from naru.db.database import Database
from naru.errors import ConflictError


@dataclass(frozen=True, slots=True)
class ContainerRow:
    """One container as stored."""

    id: str
    name: str
    image_id: str
    record: bytes
    state: bytes


class ContainerRows:
    """Reads and writes the table."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> list[ContainerRow]:
        """Return every container, oldest row first."""
        rows = self._db.rows("SELECT * FROM containers ORDER BY rowid")
        return [
            ContainerRow(row["id"], row["name"], row["image_id"], row["record"], row["state"])
            for row in rows
        ]

    def insert(self, row: ContainerRow) -> None:
        """Add a container.

        Raises:
            ConflictError: the id or the name is taken.
        """
        try:
            self._db.execute(
                "INSERT INTO containers (id, name, image_id, record, state) VALUES (?, ?, ?, ?, ?)",
                (row.id, row.name, row.image_id, row.record, row.state),
            )
        except sqlite3.IntegrityError as error:
            raise ConflictError(f"container name {row.name} is taken") from error

    def rename(self, container_id: str, name: str) -> None:
        """Give a container another name.

        Raises:
            ConflictError: the name is taken.
        """
        try:
            self._db.execute("UPDATE containers SET name = ? WHERE id = ?", (name, container_id))
        except sqlite3.IntegrityError as error:
            raise ConflictError(f"container name {name} is taken") from error

    def save_record(self, container_id: str, record: bytes) -> None:
        """Replace a container's record."""
        self._db.execute("UPDATE containers SET record = ? WHERE id = ?", (record, container_id))

    def save_state(self, container_id: str, state: bytes) -> None:
        """Replace a container's state."""
        self._db.execute("UPDATE containers SET state = ? WHERE id = ?", (state, container_id))

    def sync(self) -> None:
        """Make what is written survive a power cut. Blocks on the disk."""
        self._db.sync()

    def delete(self, container_id: str) -> None:
        """Forget a container. Idempotent."""
        self._db.execute("DELETE FROM containers WHERE id = ?", (container_id,))
