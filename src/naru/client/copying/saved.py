"""Images in what `docker save` writes: archives with a `manifest.json`.

Spec: moby image-spec v1.2.
"""

from __future__ import annotations

from contextlib import suppress

import msgspec

from naru.client.copying import content as contents
from naru.client.copying.files import Files, compression_of, read_document
from naru.errors import CorruptDataError, InvalidInputError, NotFoundError, NotSupportedError
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, Hasher
from naru.oci.image_config import parse_image_config
from naru.oci.manifest import build_manifest
from naru.oci.platform import Platform
from naru.oci.reference import Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from naru.client.copying.content import Pieces

MANIFESTS = "manifest.json"


class SavedImage(msgspec.Struct, rename="pascal", kw_only=True):
    """An entry of `manifest.json`."""

    config: str = ""
    repo_tags: list[str] | None = None
    layers: list[str] | None = None


class SavedSource:
    """One image of such an archive. Its manifest is made here, of the layers as they are."""

    def __init__(self, files: Files, name: str, platform: Platform | None) -> None:
        """Find the image called `name`, or the only one.

        Raises:
            NotFoundError: there is none, or it is not for the platform.
            InvalidInputError: there are several.
            CorruptDataError: the archive contradicts itself.
            NotSupportedError: a layer is compressed with what layers are not.
        """
        self._files = files
        saved, own_name = _chosen(_read(files), name, files.label)
        config = parse_image_config(read_document(files, saved.config))
        self._names = saved.layers or []
        if len(self._names) != len(config.diff_ids):
            raise CorruptDataError(
                f"{files.label}: manifest.json has {len(self._names)} layers, "
                f"the image config {len(config.diff_ids)}"
            )
        layers = [
            self._descriptor(layer, diff_id)
            for layer, diff_id in zip(self._names, config.diff_ids, strict=True)
        ]
        described = Descriptor(
            media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)
        )
        manifest = build_manifest(described, layers)
        self.content = contents.make_content(manifest, config, own_name, is_original=False)
        contents.require_platform(self.content, platform, files.label)

    def layers(self, positions: Sequence[int]) -> Iterator[Pieces]:
        for position in positions:
            pieces = self._files.pieces(self._names[position])
            yield contents.exactly(pieces, self.content.layers[position])

    def close(self) -> None:
        self._files.close()

    def _descriptor(self, name: str, diff_id: Digest) -> Descriptor:
        size = self._files.size(name)
        if size is None:
            raise NotFoundError(f"{self._files.label} has no {name}")
        compression = compression_of(self._files, name)
        if compression not in mediatype.OCI_LAYERS:
            raise NotSupportedError(
                f"{self._files.label}: {name} is compressed with {compression}",
                hint="`load` reads it",
            )
        kind = mediatype.OCI_LAYERS[compression]
        if not compression:
            return Descriptor(media_type=kind, digest=diff_id, size=size)
        hasher = Hasher()
        for piece in self._files.pieces(name):
            hasher.update(piece)
        return Descriptor(media_type=kind, digest=hasher.digest(), size=size)


def _read(files: Files) -> list[SavedImage]:
    try:
        return msgspec.json.decode(read_document(files, MANIFESTS), type=list[SavedImage])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CorruptDataError(f"{files.label}: {MANIFESTS}: {error}") from error


def _chosen(images: list[SavedImage], name: str, label: str) -> tuple[SavedImage, Reference | None]:
    tags = [(image, tag) for image in images for tag in image.repo_tags or ()]
    there = ", ".join(tag for _, tag in tags) or "none with a name"
    if name:
        wanted = Reference.parse(name).with_default_tag()
        for image, tag in tags:
            with suppress(InvalidInputError):
                if Reference.parse(tag).with_default_tag() == wanted:
                    return image, wanted
        raise NotFoundError(f"{label} has no image {wanted.familiar}, only {there}")
    if not images:
        raise NotFoundError(f"{label} has no image")
    if len(images) > 1:
        raise InvalidInputError(f"{label} has several images, say which: {there}")
    own = Reference.parse(tags[0][1]).with_default_tag() if tags else None
    return images[0], own
