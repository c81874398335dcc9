"""What the API says of the manifest behind an image: its descriptor, and what it takes.

An image here is one manifest, the one it came with or that was made for it. What is damaged or
has just gone is not told of.

Spec: Engine API 1.50, OCIDescriptor and ImageManifestSummary.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from naru.errors import CorruptDataError, NotFoundError, NotSupportedError
from naru.images.catalog import Catalog, Image
from naru.oci.manifest import Manifest
from naru.store.content import ContentStore

_log = logging.getLogger(__name__)


def descriptor(catalog: Catalog, image: Image) -> dict[str, Any]:
    """Return `Descriptor` of an image's answers; nothing if its manifest cannot be read."""
    manifest = _manifest(catalog, image)
    return {"Descriptor": _shown(image, manifest)} if manifest else {}


def manifests(
    catalog: Catalog, content: ContentStore, image: Image, users: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return `Manifests` of an image's answers, sizes in bytes.

    `users` are the ids of containers by the id of their image.
    """
    manifest = _manifest(catalog, image)
    if manifest is None:
        return {"Manifests": []}
    blobs = {blob.digest: content.stat(blob.digest) for blob in (manifest.config, *manifest.layers)}
    present = sum(size for size in blobs.values() if size is not None) + len(manifest.raw)
    platform = image.config.platform.normalised()
    summary = {
        "ID": image.manifest_digest,
        "Descriptor": _shown(image, manifest),
        "Available": None not in blobs.values(),
        "Size": {"Content": present, "Total": present + image.size},
        "Kind": "image",
        "ImageData": {
            "Platform": msgspec.to_builtins(platform),
            "Containers": list(users.get(image.id, ())),
            "Size": {"Unpacked": image.size},
        },
    }
    return {"Manifests": [summary]}


def _shown(image: Image, manifest: Manifest) -> dict[str, Any]:
    return {
        "mediaType": manifest.media_type,
        "digest": image.manifest_digest,
        "size": len(manifest.raw),
    }


def _manifest(catalog: Catalog, image: Image) -> Manifest | None:
    try:
        return catalog.manifest(image)
    except (NotFoundError, CorruptDataError, NotSupportedError) as error:
        _log.warning("the manifest of image %s is not readable: %s", image.id, error)
        return None
