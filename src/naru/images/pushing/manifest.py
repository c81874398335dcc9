"""Which manifest goes to a registry with an image. Pure.

What came from elsewhere goes out as it came. What was made here is put in Docker's words, which
every registry and client knows, and which say that the config is Docker's; where those have no
word for a layer, in OCI's.

Spec: distribution, manifest-v2-2; image-spec v1.1, manifest.md.
"""

from __future__ import annotations

from collections.abc import Sequence

from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.manifest import Manifest, build_manifest

_DOCKER_LAYERS = {"": mediatype.DOCKER_LAYER, "gzip": mediatype.DOCKER_LAYER_GZIP}


def is_made_here(manifest: Manifest) -> bool:
    """Say whether a manifest is, to the byte, what this engine writes for images of its own."""
    return manifest.raw == build_manifest(manifest.config, list(manifest.layers)).raw


def is_foreign(layer: Descriptor) -> bool:
    """Say whether a layer is to be had elsewhere only, and never sent to a registry."""
    kind = layer.media_type
    return bool(layer.urls) and (
        kind == mediatype.DOCKER_FOREIGN_LAYER_GZIP or kind.startswith(mediatype.OCI_FOREIGN_LAYER)
    )


def manifest_of(image_id: Descriptor, layers: Sequence[Descriptor]) -> Manifest:
    """Make the manifest of an image, given its config and its layers as a registry has them.

    Equal arguments give equal bytes.
    """
    compressions = [mediatype.layer_compression(layer.media_type) for layer in layers]
    is_docker = all(compression in _DOCKER_LAYERS for compression in compressions)
    kinds = _DOCKER_LAYERS if is_docker else mediatype.OCI_LAYERS
    return build_manifest(
        Descriptor(
            media_type=mediatype.DOCKER_CONFIG if is_docker else mediatype.OCI_CONFIG,
            digest=image_id.digest,
            size=image_id.size,
        ),
        [
            layer
            if is_foreign(layer)
            else Descriptor(media_type=kinds[compression], digest=layer.digest, size=layer.size)
            for layer, compression in zip(layers, compressions, strict=True)
        ],
        media_type=mediatype.DOCKER_MANIFEST if is_docker else mediatype.OCI_MANIFEST,
    )
