"""An image as a tar stream: what engines load, and what archives on disk are.

Documents come first, so that a reader can unpack each layer as it comes. Spec: image-spec v1.1,
image-layout.md; moby image-spec v1.2.
"""

from __future__ import annotations

import tarfile

import msgspec

from naru.client.copying.layouts import LAYOUT, index_entry
from naru.client.copying.portable import blob_name, portable
from naru.client.copying.saved import MANIFESTS, SavedImage
from naru.oci.digest import digest_bytes
from naru.oci.manifest import build_index

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from naru.client.copying.content import ImageContent, Pieces
    from naru.oci.reference import Reference

_BLOCK = 512
_END = bytes(2 * _BLOCK)


def compose(
    content: ImageContent,
    name: Reference | None,
    positions: Sequence[int],
    layers: Iterator[Pieces],
    *,
    as_layout: bool,
    as_saved: bool,
    is_portable: bool = False,
    tag: str = "",
) -> Iterator[bytes]:
    """Yield the archive of an image with some of its layers.

    It is an OCI layout, an archive as of `docker save`, or both at once. A layout lists the
    image under `name`, or under a `tag` alone; one that `is_portable` by a manifest that all
    tools read.
    """
    listed = portable(content.manifest) if is_portable else content.manifest
    documents = [content.config.raw, *([content.manifest.raw, listed.raw] if as_layout else [])]
    for raw in dict.fromkeys(documents):
        yield from _file(blob_name(digest_bytes(raw)), raw)
    if as_layout:
        entry = index_entry(listed, name, tag, original=content.manifest.digest)
        index = build_index([entry])
        yield from _file("oci-layout", LAYOUT)
        yield from _file("index.json", index.raw)
    if as_saved:
        item = SavedImage(
            config=blob_name(content.config.digest),
            repo_tags=[name.familiar] if name else None,
            layers=[blob_name(layer.digest) for layer in content.layers],
        )
        yield from _file(MANIFESTS, msgspec.json.encode([item]))
    for position, pieces in zip(positions, layers, strict=True):
        layer = content.layers[position]
        yield _header(blob_name(layer.digest), layer.size)
        yield from pieces
        yield _padding(layer.size)
    yield _END


def _file(name: str, raw: bytes) -> Iterator[bytes]:
    yield _header(name, len(raw)) + raw + _padding(len(raw))


def _header(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o644
    return info.tobuf(tarfile.GNU_FORMAT)


def _padding(size: int) -> bytes:
    return bytes(-size % _BLOCK)
