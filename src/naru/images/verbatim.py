"""Layers of an image as they are stored, such of them as are asked for.

What `image copy` takes, so that manifests and digests stay what they are. For worker threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from naru.errors import CorruptDataError, InvalidInputError
from naru.images.catalog import Image
from naru.images.services import ImageServices
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest
from naru.store.tar_write import Write

OWNER = "images.verbatim"
_PIECE = 1 << 20


def write_layers(
    services: ImageServices,
    image: Image,
    digests: Sequence[Digest],
    write: Write,
) -> None:
    """Write layers of an image as they are stored, one after the other, in the order asked for.

    Nothing is written before all are known to be there. They stay for as long as it takes, even
    if the image is removed meanwhile.

    Raises:
        InvalidInputError: the image has no such layer.
        CorruptDataError: a layer is gone, or not as large as its manifest says.
    """
    with services.lease(OWNER) as lease_id:
        services.leases.add(lease_id, "blob", image.id, image.manifest_digest)
        known = {layer.digest: layer for layer in services.catalog.manifest(image).layers}
        for digest in digests:
            _check(services, image, digest, known.get(digest))
        for digest in digests:
            with services.content.open(digest) as stream:
                while piece := stream.read(_PIECE):
                    write(piece)


def _check(services: ImageServices, image: Image, digest: Digest, layer: Descriptor | None) -> None:
    if layer is None:
        raise InvalidInputError(f"image {image.id} has no layer {digest}")
    size = services.content.stat(digest)
    if size != layer.size:
        found = "nothing" if size is None else f"{size} bytes"
        raise CorruptDataError(
            f"image {image.id}: layer {digest} has {layer.size} bytes, the store has {found}"
        )
