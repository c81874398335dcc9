"""Manifests in layouts that other tools read: OCI's kind, with Docker's own beside it.

Registries have manifests of Docker's kind, which tools such as skopeo do not look for in a
layout. There an image is listed by an OCI manifest of the same config and layers, and the entry
names the one that it came with: whoever knows that annotation gets the digest back.
"""

from __future__ import annotations

from naru.client.copying.files import Files, read_document
from naru.errors import NaruError
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, algorithm_of, digest_bytes, hex_of, is_digest
from naru.oci.manifest import Manifest, build_manifest, parse_manifest

ORIGINAL = "naru.manifest.original"


def blob_name(digest: Digest) -> str:
    """Return where a layout keeps a blob. `digest` has been checked."""
    return f"blobs/{algorithm_of(digest)}/{hex_of(digest)}"


def portable(manifest: Manifest) -> Manifest:
    """Return the manifest itself if it is OCI's, else one that says the same in OCI's words."""
    if manifest.media_type == mediatype.OCI_MANIFEST:
        return manifest
    config, layers = manifest.config, manifest.layers
    return build_manifest(
        Descriptor(media_type=mediatype.OCI_CONFIG, digest=config.digest, size=config.size),
        [
            Descriptor(
                media_type=mediatype.OCI_LAYERS[mediatype.layer_compression(layer.media_type)],
                digest=layer.digest,
                size=layer.size,
            )
            for layer in layers
        ],
    )


def original(files: Files, entry: Descriptor, listed: Manifest) -> Manifest:
    """Return the manifest that a listed one was made of, if it is there and says the same."""
    digest = (entry.annotations or {}).get(ORIGINAL, "")
    if not is_digest(digest):
        return listed
    try:
        raw = read_document(files, blob_name(Digest(digest)))
        found = parse_manifest(raw)
    except NaruError:
        # Somebody cleared away what no index names.
        return listed
    if not isinstance(found, Manifest) or digest_bytes(raw, algorithm_of(Digest(digest))) != digest:
        return listed
    return found if portable(found).raw == listed.raw else listed
