"""What the API says of the manifest behind an image: its descriptor, and what it takes.

An image here is one manifest, the one it came with or that was made for it. Reads one small
blob per image; a manifest that is damaged or has just gone is not told of.

Spec: Engine API 1.50, OCIDescriptor and ImageManifestSummary.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from naru.errors import CorruptDataError, NotFoundError, NotSupportedError
from naru.images.catalog import Image
from naru.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from naru.store.content import ContentStore

_log = logging.getLogger(__name__)


def descriptor(content: ContentStore, image: Image) -> dict[str, Any]:
    """Return `Descriptor` of an image's answers; nothing if its manifest cannot be read."""
    manifest = _manifest(content, image)
    return {"Descriptor": _shown(manifest)} if manifest else {}


def manifests(
    content: ContentStore, image: Image, users: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return `Manifests` of an image's answers, sizes in bytes.

    `users` are the ids of containers by the id of their image.
    """
    manifest = _manifest(content, image)
    if manifest is None:
        return {"Manifests": []}
    blobs = {blob.digest: content.stat(blob.digest) for blob in (manifest.config, *manifest.layers)}
    present = sum(size for size in blobs.values() if size is not None) + len(manifest.raw)
    platform = image.config.platform.normalised()
    summary = {
        "ID": manifest.digest,
        "Descriptor": _shown(manifest),
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


def _shown(manifest: Manifest) -> dict[str, Any]:
    shown: dict[str, Any] = msgspec.to_builtins(manifest.descriptor())
    return shown


def _manifest(content: ContentStore, image: Image) -> Manifest | None:
    try:
        found = parse_manifest(content.read(image.manifest_digest, MAX_MANIFEST_SIZE))
    except (NotFoundError, CorruptDataError, NotSupportedError) as error:
        _log.warning("the manifest of image %s is not readable: %s", image.id, error)
        return None
    return found if isinstance(found, Manifest) else None
