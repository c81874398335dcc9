"""What steps of builds came to, by the key of the step. Owner: builder."""

from __future__ import annotations

from naru.db.database import Database


class BuildCacheRows:
    """The table `build_cache`. A row goes with its image. Any thread may call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, key: str) -> str | None:
        """Return the id of the image that a step came to."""
        row = self._database.row("SELECT image_id FROM build_cache WHERE key = ?", (key,))
        return row["image_id"] if row else None

    def put(self, key: str, image_id: str) -> None:
        """Remember what a step came to. An image that is gone already is not remembered."""
        self._database.execute(
            "INSERT OR REPLACE INTO build_cache (key, image_id)"
            " SELECT ?, image_id FROM images WHERE image_id = ?",
            (key, image_id),
        )
