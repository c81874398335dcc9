"""Rows of images and of their names. Rows in, rows out; what they mean is for `naru.images`."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from naru.db.database import Database
from naru.oci.digest import ChainId, Digest
from naru.oci.reference import Reference


@dataclass(frozen=True, slots=True)
class ImageRow:
    """One image. `layer_sizes` are bytes per layer, lowest first; `tagged_ns` is 0 for never."""

    image_id: Digest
    manifest_digest: Digest
    chain_id: ChainId | None
    parent_id: str = ""
    layer_sizes: tuple[int, ...] = ()
    tagged_ns: int = 0


@dataclass(frozen=True, slots=True)
class NameRow:
    """One name of an image: a reference with a tag or with a digest, never both."""

    reference: Reference
    image_id: Digest
    manifest_digest: str = ""


class ImageRows:
    """The tables `images` and `image_names`. Any thread may call."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextlib.contextmanager
    def write(self) -> Iterator[None]:
        """Make the block one transaction."""
        with self._database.write():
            yield

    def sync(self) -> None:
        """Make what is written survive a power cut. Blocks on the disk."""
        self._database.sync()

    def put(self, row: ImageRow) -> None:
        """Add an image, or replace what is known of it; its names stay."""
        self._database.execute(
            "INSERT INTO images"
            " (image_id, manifest_digest, chain_id, parent_id, layer_sizes, tagged_ns)"
            " VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (image_id) DO UPDATE SET manifest_digest = excluded.manifest_digest,"
            " chain_id = excluded.chain_id, layer_sizes = excluded.layer_sizes,"
            " parent_id = CASE excluded.parent_id WHEN '' THEN parent_id"
            " ELSE excluded.parent_id END",
            (
                row.image_id,
                row.manifest_digest,
                row.chain_id or "",
                row.parent_id,
                msgspec.json.encode(row.layer_sizes).decode(),
                row.tagged_ns,
            ),
        )

    def get(self, image_id: str) -> ImageRow | None:
        """Return one image by its whole id."""
        row = self._database.row("SELECT * FROM images WHERE image_id = ?", (image_id,))
        return _image(row) if row else None

    def by_prefix(self, prefix: str) -> list[ImageRow]:
        """Return at most two images whose id starts with `prefix` (`sha256:` included)."""
        rows = self._database.rows(
            "SELECT * FROM images WHERE image_id >= ? AND image_id < ? ORDER BY image_id LIMIT 2",
            # No digest holds a character above "g" after its colon.
            (prefix, prefix + "g"),
        )
        return [_image(row) for row in rows]

    def all(self) -> list[ImageRow]:
        """Return all images, in no promised order."""
        return [_image(row) for row in self._database.rows("SELECT * FROM images")]

    def children(self, image_id: str) -> list[Digest]:
        """Return the images that were built on `image_id`."""
        rows = self._database.rows("SELECT image_id FROM images WHERE parent_id = ?", (image_id,))
        return [Digest(row["image_id"]) for row in rows]

    def delete(self, image_id: str) -> None:
        """Remove an image and all its names. Idempotent."""
        self._database.execute("DELETE FROM images WHERE image_id = ?", (image_id,))

    def set_name(self, name: NameRow, tagged_ns: int = 0) -> None:
        """Give a name to an image, taking it from any other.

        `tagged_ns` is when somebody tagged it; 0 leaves the time of the last tagging alone.
        """
        with self._database.write():
            self._database.execute(
                "INSERT OR REPLACE INTO image_names"
                " (registry, repository, tag, digest, manifest_digest, image_id)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (*_key(name.reference), name.manifest_digest, name.image_id),
            )
            if tagged_ns:
                self._database.execute(
                    "UPDATE images SET tagged_ns = ? WHERE image_id = ?",
                    (tagged_ns, name.image_id),
                )

    def remove_name(self, reference: Reference) -> bool:
        """Take a name away; say whether it was there."""
        changed = self._database.execute(
            "DELETE FROM image_names"
            " WHERE registry = ? AND repository = ? AND tag = ? AND digest = ?",
            _key(reference),
        )
        return changed > 0

    def find_name(self, reference: Reference) -> NameRow | None:
        """Return what a name stands for. A digest counts more than a tag beside it."""
        row = self._database.row(
            "SELECT * FROM image_names"
            " WHERE registry = ? AND repository = ? AND tag = ? AND digest = ?",
            _key(reference),
        )
        return _name(row) if row else None

    def names(self, image_id: str = "") -> list[NameRow]:
        """Return the names of one image, or of all, sorted as whole texts: tags before digests."""
        rows = self._database.rows(
            "SELECT * FROM image_names WHERE ? IN ('', image_id)"
            " ORDER BY registry || '/' || repository"
            " || CASE digest WHEN '' THEN ':' || tag ELSE '@' || digest END",
            (image_id,),
        )
        return [_name(row) for row in rows]


def _key(reference: Reference) -> tuple[str, str, str, str]:
    digest = reference.digest or ""
    return reference.registry, reference.repository, "" if digest else reference.tag, digest


def _image(row: sqlite3.Row) -> ImageRow:
    return ImageRow(
        image_id=Digest(row["image_id"]),
        manifest_digest=Digest(row["manifest_digest"]),
        chain_id=ChainId(Digest(row["chain_id"])) if row["chain_id"] else None,
        parent_id=row["parent_id"],
        layer_sizes=msgspec.json.decode(row["layer_sizes"], type=tuple[int, ...]),
        tagged_ns=row["tagged_ns"],
    )


def _name(row: sqlite3.Row) -> NameRow:
    digest = Digest(row["digest"]) if row["digest"] else None
    return NameRow(
        reference=Reference(row["registry"], row["repository"], row["tag"], digest),
        image_id=Digest(row["image_id"]),
        manifest_digest=row["manifest_digest"],
    )
