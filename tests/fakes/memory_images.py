"""Images in memory, as one end of a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from naru.client.copying.content import ImageContent, exactly, make_content
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, digest_bytes
from naru.oci.image_config import build_image_config
from naru.oci.manifest import build_manifest
from naru.oci.platform import Platform
from naru.oci.reference import Reference


class Memory:
    """A source. Its `data` are the layers' bytes, which need not be what the manifest says."""

    def __init__(self, content: ImageContent, data: Sequence[bytes]) -> None:
        self.content = content
        self.data = list(data)

    def layers(self, positions: Sequence[int]) -> Iterator[Iterator[bytes]]:
        for position in positions:
            data = self.data[position]
            pieces = (data[start : start + 2] for start in range(0, len(data), 2))
            yield exactly(pieces, self.content.layers[position])

    def close(self) -> None:
        return


def image(
    *layers: bytes,
    architecture: str = "amd64",
    name: str = "",
    layer_type: str = mediatype.OCI_LAYER,
    is_original: bool = True,
) -> Memory:
    """Return an image of these layers; they are their own diff_ids, whatever their type says."""
    config = build_image_config(
        platform=Platform(architecture=architecture, os="linux"),
        diff_ids=[DiffId(digest_bytes(layer)) for layer in layers],
    )
    manifest = build_manifest(
        Descriptor(media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)),
        [
            Descriptor(media_type=layer_type, digest=digest_bytes(layer), size=len(layer))
            for layer in layers
        ],
    )
    reference = Reference.parse(name) if name else None
    return Memory(make_content(manifest, config, reference, is_original=is_original), layers)
