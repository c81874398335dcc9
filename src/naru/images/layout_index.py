"""`index.json` of the content store: what other tools see of our images.

Written from the rows after every change, so that `skopeo inspect oci:<data-root>/content:<name>`
works. Nothing in Naru reads it; losing it costs nothing, and the next start writes it again.

Spec: image-spec v1.1, image-layout.md §index.json and annotations.md.
"""

from __future__ import annotations

import logging
import threading

from naru.db.images import ImageRow, ImageRows
from naru.errors import NaruError
from naru.oci.descriptor import Descriptor
from naru.oci.manifest import MAX_MANIFEST_SIZE, Index, build_index, parse_manifest
from naru.oci.reference import Reference
from naru.store.content import ContentStore

_NAME = "org.opencontainers.image.ref.name"
_log = logging.getLogger(__name__)


class LayoutIndex:
    """Keeps `index.json` in step with the images."""

    def __init__(self, content: ContentStore, rows: ImageRows) -> None:
        self._content = content
        self._rows = rows
        self._lock = threading.Lock()

    def refresh(self) -> None:
        """Write the file anew. A failure is logged, not raised: the images are what counts."""
        try:
            with self._lock:
                self._content.write_index(self._build())
        except (NaruError, OSError) as error:
            _log.warning("cannot write index.json: %s", error)

    def _build(self) -> Index:
        tags: dict[str, list[Reference]] = {}
        for name in self._rows.names():
            if name.reference.digest is None:
                tags.setdefault(name.image_id, []).append(name.reference)
        entries: list[Descriptor] = []
        for row in sorted(self._rows.all(), key=lambda row: row.image_id):
            entries += self._entries(row, tags.get(row.image_id, []))
        return build_index(entries)

    def _entries(self, row: ImageRow, tags: list[Reference]) -> list[Descriptor]:
        try:
            raw = self._content.read(row.manifest_digest, MAX_MANIFEST_SIZE)
            media_type = parse_manifest(raw).media_type
        except NaruError as error:
            _log.warning("image %s has no readable manifest: %s", row.image_id, error)
            return []
        named: list[dict[str, str] | None] = [{_NAME: tag.canonical} for tag in tags]
        return [
            Descriptor(
                media_type=media_type,
                digest=row.manifest_digest,
                size=len(raw),
                annotations=annotation,
            )
            for annotation in named or [None]
        ]
