"""Layers that are here already, for archives that leave them out.

An archive that a copy sends has only what the engine said that it lacks; dockerd reads such
archives just so. A layer is known by its digest, or by its place in an image that has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from naru.errors import NaruError
from naru.images.catalog import Image
from naru.images.layer_intake import StoredLayer
from naru.images.layers.compression import detect
from naru.images.services import ImageServices
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest
from naru.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest

_MAGIC_SIZE = 6


class LayersAtHand:
    """What the store has, as of now; with a lease, what is found stays. For worker threads."""

    def __init__(self, services: ImageServices, lease_id: str = "") -> None:
        self._services = services
        self._lease_id = lease_id
        self._images: list[Image] | None = None

    def by_digest(self, digest: Digest) -> StoredLayer | None:
        """Return the layer that is stored under `digest`."""
        content = self._services.content
        if self._lease_id:
            # The lease first: a collection in between would take what was just seen.
            self._services.leases.add(self._lease_id, "blob", digest)
        size = content.stat(digest)
        if size is None:
            return None
        with content.open(digest) as stream:
            compression = detect(stream.read(_MAGIC_SIZE))
        return StoredLayer(digest, size, compression, "" if compression else digest)

    def by_diff_ids(self, diff_ids: Sequence[DiffId]) -> StoredLayer | None:
        """Return the topmost of these layers, lowest first, if an image here begins with them."""
        if self._images is None:
            self._images = self._services.catalog.images()
        for image in self._images:
            if image.layers[: len(diff_ids)] == tuple(diff_ids):
                layer = self._stored_as(image, len(diff_ids) - 1)
                found = self.by_digest(layer.digest) if layer else None
                if layer is not None and found is not None and found.size == layer.size:
                    return StoredLayer(found.digest, found.size, found.compression, diff_ids[-1])
        return None

    def _stored_as(self, image: Image, position: int) -> Descriptor | None:
        try:
            raw = self._services.content.read(image.manifest_digest, MAX_MANIFEST_SIZE)
            manifest = parse_manifest(raw)
        except NaruError:
            # A damaged image is of no help; another may have the layer as well.
            return None
        if not isinstance(manifest, Manifest) or len(manifest.layers) != len(image.layers):
            return None
        return manifest.layers[position]


def missing_blobs(services: ImageServices, digests: Iterable[Digest]) -> list[Digest]:
    """Return those of the blobs that are not in the store."""
    return [digest for digest in digests if services.content.stat(digest) is None]


def missing_layers(services: ImageServices, diff_ids: Sequence[DiffId]) -> list[DiffId]:
    """Return those of an image's layers, lowest first, that no image here has at this place."""
    at_hand = LayersAtHand(services)
    count = 0
    while count < len(diff_ids) and at_hand.by_diff_ids(diff_ids[: count + 1]):
        count += 1
    return list(diff_ids[count:])
