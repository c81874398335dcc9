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
from naru.oci.annotations import REF_NAME
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest
from naru.oci.manifest import MAX_MANIFEST_SIZE, Index, build_index, parse_manifest
from naru.oci.reference import Reference
from naru.store.content import ContentStore

_log = logging.getLogger(__name__)


class LayoutIndex:
    """Keeps `index.json` in step with the images."""

    def __init__(self, content: ContentStore, rows: ImageRows) -> None:
        self._content = content
        self._rows = rows
        self._lock = threading.Lock()
        # What the file holds; nothing if that is not sure.
        self._written = b""
        # Of each manifest its media type and its size: it never changes.
        self._known: dict[Digest, tuple[str, int]] = {}

    def refresh(self) -> None:
        """Write the file anew. A failure is logged, not raised: the images are what counts."""
        try:
            with self._lock:
                self._written = b""
                index = self._build()
                self._content.write_index(index)
                self._written = index.raw
        except (NaruError, OSError) as error:
            _log.warning("cannot write index.json: %s", error)

    def is_current(self) -> bool:
        """Say whether the file is as it was written after the last change of images.

        Between a change and its writing it need not list what there is.
        """
        with self._lock:
            try:
                return self._content.read_index() == (self._written or self._build().raw)
            except OSError:
                return False

    def _build(self) -> Index:
        tags: dict[str, list[Reference]] = {}
        for name in self._rows.names():
            if name.reference.digest is None:
                tags.setdefault(name.image_id, []).append(name.reference)
        entries: list[Descriptor] = []
        rows = sorted(self._rows.all(), key=lambda row: row.image_id)
        for row in rows:
            entries += self._entries(row, tags.get(row.image_id, []))
        if len(self._known) > 2 * len(rows):
            named = {row.manifest_digest for row in rows}
            self._known = {key: value for key, value in self._known.items() if key in named}
        return build_index(entries)

    def _entries(self, row: ImageRow, tags: list[Reference]) -> list[Descriptor]:
        digest = row.manifest_digest
        known = self._known.get(digest)
        if known is None or self._content.stat(digest) != known[1]:
            try:
                raw = self._content.read(digest, MAX_MANIFEST_SIZE)
                known = self._known[digest] = (parse_manifest(raw).media_type, len(raw))
            except NaruError as error:
                _log.warning("image %s has no readable manifest: %s", row.image_id, error)
                return []
        media_type, size = known
        named: list[dict[str, str] | None] = [{REF_NAME: tag.canonical} for tag in tags]
        return [
            Descriptor(
                media_type=media_type,
                digest=digest,
                size=size,
                annotations=annotation,
            )
            for annotation in named or [None]
        ]
