"""The table of snapshots, one driver's rows at a time. Owner: store."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from naru.db.database import Database


@dataclass(frozen=True, slots=True)
class SnapshotRow:
    """One snapshot. `number` names its directory and is never used twice.

    `unsettled_boot` is empty once the files of a committed one are known to be on the disk.
    """

    number: int
    key: str
    kind: str
    state: str
    parent: str | None
    size_bytes: int
    unsettled_boot: str = ""


class SnapshotRows:
    """Snapshots of one driver. All changes join the transaction that is open, if any."""

    def __init__(self, database: Database, driver: str) -> None:
        self.database = database
        self._driver = driver

    def insert(self, key: str, kind: str, parent: str | None) -> int | None:
        """Add a row in state `preparing` and return its number; None if the key is taken."""
        with self.database.write():
            if self.find(key) is not None:
                return None
            self.database.execute(
                "INSERT INTO snapshots (driver, key, kind, state, parent)"
                " VALUES (?, ?, ?, 'preparing', ?)",
                (self._driver, key, kind, parent),
            )
            row = self.database.row("SELECT last_insert_rowid() AS number")
            assert row is not None
            return int(row["number"])

    def find(self, key: str) -> SnapshotRow | None:
        """Return the row that holds `key`; rows being removed hold none."""
        row = self.database.row(
            "SELECT * FROM snapshots WHERE driver = ? AND key = ? AND state != 'removing'",
            (self._driver, key),
        )
        return _value(row) if row else None

    def chain(self, name: str) -> list[SnapshotRow]:
        """Return the committed snapshot `name` and those below it, topmost first.

        It ends early where one is missing: its last row then still names a parent.
        """
        rows = self.database.rows(
            "WITH RECURSIVE chain AS ("
            "  SELECT *, 0 AS depth FROM snapshots"
            "  WHERE driver = ?1 AND key = ?2 AND kind = 'committed' AND state = 'ready'"
            "  UNION ALL"
            "  SELECT below.*, chain.depth + 1 FROM snapshots AS below"
            "  JOIN chain ON below.key = chain.parent"
            "  WHERE below.driver = ?1 AND below.kind = 'committed' AND below.state = 'ready'"
            ") SELECT * FROM chain ORDER BY depth",
            (self._driver, name),
        )
        return [_value(row) for row in rows]

    def set_state(self, number: int, state: str) -> None:
        """Move a row to `ready` or `removing`."""
        self.database.execute("UPDATE snapshots SET state = ? WHERE number = ?", (state, number))

    def set_size(self, number: int, size_bytes: int) -> None:
        """Keep the size of a committed snapshot."""
        self.database.execute(
            "UPDATE snapshots SET size_bytes = ? WHERE number = ?", (size_bytes, number)
        )

    def commit(self, number: int, name: str, boot: str) -> None:
        """Turn an active row into the committed one `name`, not settled since this `boot`."""
        self.database.execute(
            "UPDATE snapshots SET kind = 'committed', key = ?, unsettled_boot = ? WHERE number = ?",
            (name, boot, number),
        )

    def unsettled(self) -> list[SnapshotRow]:
        """Return the committed rows whose files may not be on the disk yet, oldest first."""
        rows = self.database.rows(
            "SELECT * FROM snapshots WHERE driver = ? AND unsettled_boot != ''"
            " AND kind = 'committed' AND state = 'ready' ORDER BY number",
            (self._driver,),
        )
        return [_value(row) for row in rows]

    def set_settled(self, number: int) -> None:
        """Note that the files of a row are on the disk. Idempotent."""
        self.database.execute(
            "UPDATE snapshots SET unsettled_boot = '' WHERE number = ?", (number,)
        )

    def set_parent(self, number: int, parent: str) -> None:
        """Put a snapshot on top of `parent`."""
        self.database.execute("UPDATE snapshots SET parent = ? WHERE number = ?", (parent, number))

    def has_children(self, name: str) -> bool:
        """Say whether a snapshot names `name` as its parent."""
        return (
            self.database.row(
                "SELECT 1 FROM snapshots WHERE driver = ? AND parent = ? AND state != 'removing'",
                (self._driver, name),
            )
            is not None
        )

    def delete(self, number: int) -> None:
        """Drop a row. Idempotent."""
        self.database.execute("DELETE FROM snapshots WHERE number = ?", (number,))

    def all(self) -> list[SnapshotRow]:
        """Return every row of the driver, in the order of making, whatever its state."""
        rows = self.database.rows(
            "SELECT * FROM snapshots WHERE driver = ? ORDER BY number", (self._driver,)
        )
        return [_value(row) for row in rows]

    def beginning_with(self, start: str) -> list[SnapshotRow]:
        """Return the rows whose key begins with `start`, in the order of making."""
        rows = self.database.rows(
            "SELECT * FROM snapshots WHERE driver = ? AND key >= ? AND key < ?"
            " AND state != 'removing' ORDER BY number",
            (self._driver, start, start + "\U0010ffff"),
        )
        return [_value(row) for row in rows]

    def numbers_of_all_drivers(self) -> set[int]:
        """Return the numbers in use by any driver: they share one directory."""
        return {int(row["number"]) for row in self.database.rows("SELECT number FROM snapshots")}


def _value(row: sqlite3.Row) -> SnapshotRow:
    return SnapshotRow(
        number=row["number"],
        key=row["key"],
        kind=row["kind"],
        state=row["state"],
        parent=row["parent"],
        size_bytes=row["size_bytes"],
        unsettled_boot=row["unsettled_boot"],
    )
