"""Media types: the constants, and which of OCI's and Docker's mean the same.

Spec: image-spec v1.1, media-types.md; distribution, manifest-v2-2.
"""

from __future__ import annotations

from naru.errors import NotSupportedError

OCI_INDEX = "application/vnd.oci.image.index.v1+json"
OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
OCI_LAYER_GZIP = f"{OCI_LAYER}+gzip"
OCI_LAYER_ZSTD = f"{OCI_LAYER}+zstd"
OCI_FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar"

DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_LAYER_GZIP = f"{DOCKER_LAYER}.gzip"
DOCKER_FOREIGN_LAYER_GZIP = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
DOCKER_SCHEMA1 = "application/vnd.docker.distribution.manifest.v1+json"
DOCKER_SCHEMA1_SIGNED = "application/vnd.docker.distribution.manifest.v1+prettyjws"

INDEXES = frozenset({OCI_INDEX, DOCKER_INDEX})
MANIFESTS = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
CONFIGS = frozenset({OCI_CONFIG, DOCKER_CONFIG})
SCHEMA1 = frozenset({DOCKER_SCHEMA1, DOCKER_SCHEMA1_SIGNED})
ACCEPTED_MANIFESTS = (OCI_INDEX, DOCKER_INDEX, OCI_MANIFEST, DOCKER_MANIFEST)
"""What to put into `Accept` when asking a registry for a manifest, best first."""

OCI_LAYERS = {"": OCI_LAYER, "gzip": OCI_LAYER_GZIP, "zstd": OCI_LAYER_ZSTD}
"""Layer types of OCI's, by how a layer is compressed."""

_COMPRESSION = {
    **{media_type: compression for compression, media_type in OCI_LAYERS.items()},
    OCI_FOREIGN_LAYER: "",
    f"{OCI_FOREIGN_LAYER}+gzip": "gzip",
    f"{OCI_FOREIGN_LAYER}+zstd": "zstd",
    DOCKER_LAYER: "",
    DOCKER_LAYER_GZIP: "gzip",
    f"{DOCKER_LAYER}.zstd": "zstd",
    DOCKER_FOREIGN_LAYER_GZIP: "gzip",
}


def is_layer(media_type: str) -> bool:
    """Say whether `media_type` is a filesystem layer that can be unpacked."""
    return media_type in _COMPRESSION


def layer_compression(media_type: str) -> str:
    """Return how a layer is said to be compressed: `""`, `gzip` or `zstd`.

    Registries hold layers whose type lies, so unpacking goes by the first bytes; this answer is
    for what we write ourselves.

    Raises:
        NotSupportedError: no layer type that we know.
    """
    try:
        return _COMPRESSION[media_type]
    except KeyError:
        raise NotSupportedError(f"unsupported layer media type {media_type!r}") from None
