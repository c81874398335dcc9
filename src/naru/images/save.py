"""`docker save`: images into one archive, for Docker's `load` and as an OCI layout at once.

Layers go out plain, under their diff_ids, however they are stored; so any two engines agree on
an archive of one image. What describes the layers comes before them, so that a reader can place
each as it comes. For worker threads: everything blocks.

Spec: moby, image/tarexport/save.go, from Docker 25 on; image-spec v1.1, image-layout.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from naru.errors import CorruptDataError, NotFoundError
from naru.images.catalog import Catalog, Image
from naru.images.layers.compression import open_plain
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.annotations import FULL_NAME, REF_NAME
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest, Hasher, hex_of, is_digest
from naru.oci.manifest import (
    Manifest,
    build_index,
    build_manifest,
)
from naru.oci.platform import Platform
from naru.oci.reference import Reference
from naru.store.content import damaged_content
from naru.store.tar_read import Readable
from naru.store.tar_write import TarWriter, Write

OWNER = "images.save"
_BLOBS = "blobs/sha256"
_LAYOUT = b'{"imageLayoutVersion": "1.0.0"}'
_PIECE = 1 << 20


@dataclass(slots=True)
class ChosenImage:
    """An image to be saved, and those of its names that go along."""

    image: Image
    tags: list[Reference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Layer:
    """A layer of the store: how it is kept there, and how large it is without compression."""

    stored: Digest
    diff_id: DiffId
    size: int

    @property
    def descriptor(self) -> Descriptor:
        """How an archive names it."""
        return Descriptor(media_type=mediatype.OCI_LAYER, digest=self.diff_id, size=self.size)


class _ManifestItem(msgspec.Struct, rename="pascal", kw_only=True):
    """An entry of manifest.json."""

    config: str
    repo_tags: list[str] | None
    layers: list[str]
    layer_sources: dict[str, Descriptor]
    parent: str | msgspec.UnsetType = msgspec.UNSET


def choose_images(
    catalog: Catalog, names: Iterable[str], platform: Platform | None = None
) -> list[ChosenImage]:
    """Return what these names mean: an image by its id has no name, a repository all its tags.

    Raises:
        InvalidInputError: a name can name nothing.
        NotFoundError: there is no such image, or it is for another `platform`.

    Spec: moby, image/tarexport/save.go, parseNames.
    """
    chosen: dict[str, ChosenImage] = {}
    for name in names:
        for image, tag in _meant(catalog, name, platform):
            entry = chosen.setdefault(image.id, ChosenImage(image))
            if tag is not None and tag not in entry.tags:
                entry.tags.append(tag)
    return list(chosen.values())


def _meant(
    catalog: Catalog, name: str, platform: Platform | None
) -> list[tuple[Image, Reference | None]]:
    if is_digest(name) or is_digest(f"sha256:{name}"):
        return [(catalog.resolve(name, platform), None)]
    reference = Reference.parse(name)
    found = catalog.in_repository(reference) if reference.is_name_only else []
    if found:
        return [
            (catalog.resolve(other.canonical, platform), None if other.digest else other)
            for other in found
        ]
    try:
        image = catalog.resolve(name)
    except NotFoundError as error:
        is_id = reference.is_name_only or reference.familiar_name == "sha256"
        text = f"No such image: {name}" if is_id else "reference does not exist"
        raise NotFoundError(text, hint=error.hint) from None
    is_tag = bool(reference.tag) and not reference.digest and reference.familiar in image.repo_tags
    return [(catalog.resolve(name, platform), reference if is_tag else None)]


def save(services: ImageServices, images: Sequence[ChosenImage], write: Write) -> None:
    """Write the archive of these images; nothing is written before all of it is known to be there.

    Their content stays for as long as it takes, even if they are removed meanwhile.

    Raises:
        CorruptDataError: an image is damaged. That a layer is, is seen when it has been written.
        FaultError: the disk fails.
    """
    with services.lease(OWNER) as lease_id:
        for chosen in images:
            services.leases.add(lease_id, "blob", chosen.image.id, chosen.image.manifest_digest)
        _Saving(services, images).write(write)


class _Saving:
    """One archive: its documents first, then its layers."""

    def __init__(self, services: ImageServices, images: Sequence[ChosenImage]) -> None:
        self._services = services
        self._images = images
        self._layers: dict[DiffId, _Layer] = {}
        self._documents: dict[str, bytes] = {}

    def write(self, write: Write) -> None:
        entries: list[Descriptor] = []
        items: list[_ManifestItem] = []
        for chosen in self._images:
            item, manifest = self._collect(chosen)
            items.append(item)
            entries += _index_entries(manifest, chosen.tags)
        archive = TarWriter(write)
        archive.add_directory("blobs")
        archive.add_directory(_BLOBS)
        for name, raw in self._documents.items():
            archive.add_file(name, raw)
        archive.add_file("index.json", build_index(entries).raw)
        archive.add_file("manifest.json", msgspec.json.encode(items))
        archive.add_file("oci-layout", _LAYOUT)
        repositories = _repositories(self._images)
        if repositories:
            archive.add_file("repositories", msgspec.json.encode(repositories))
        for layer in self._layers.values():
            with self._services.content.open(layer.stored) as stream:
                source: Readable = stream
                if layer.stored != layer.diff_id:
                    source = open_plain(stream)[1]
                hashed = _Hashed(source)
                archive.add_stream(_blob_name(layer.diff_id), hashed, layer.size)
            # An archive is what somebody keeps: that a layer is damaged has to be told now.
            if hashed.digest() != layer.diff_id:
                raise damaged_content(layer.stored)
        archive.end()

    def _collect(self, chosen: ChosenImage) -> tuple[_ManifestItem, Manifest]:
        """Take in the documents and layers of one image; return how the archive lists it."""
        image = chosen.image
        manifest = self._services.catalog.manifest(image)
        layers = [
            self._layer(image, descriptor, diff_id)
            for descriptor, diff_id in zip(manifest.layers, image.layers, strict=True)
        ]
        if any(layer.stored != layer.diff_id for layer in layers):
            config = Descriptor(
                media_type=mediatype.OCI_CONFIG,
                digest=Digest(image.id),
                size=len(image.config.raw),
            )
            manifest = build_manifest(config, [layer.descriptor for layer in layers])
        self._documents[_blob_name(Digest(image.id))] = image.config.raw
        self._documents[_blob_name(manifest.digest)] = manifest.raw
        saved = {other.image.id for other in self._images}
        item = _ManifestItem(
            config=_blob_name(Digest(image.id)),
            repo_tags=[tag.familiar for tag in chosen.tags] or None,
            layers=[_blob_name(layer.diff_id) for layer in layers],
            layer_sources={layer.diff_id: layer.descriptor for layer in layers},
            parent=image.parent_id if image.parent_id in saved else msgspec.UNSET,
        )
        return item, manifest

    def _layer(self, image: Image, descriptor: Descriptor, diff_id: DiffId) -> _Layer:
        known = self._layers.get(diff_id)
        if known is None:
            size = self._services.content.stat(descriptor.digest)
            if size is None:
                raise CorruptDataError(f"image {image.id}: layer {diff_id} is not in the store")
            if descriptor.digest != diff_id:
                size = self._plain_size(descriptor.digest)
            known = self._layers[diff_id] = _Layer(descriptor.digest, diff_id, size)
        return known

    def _plain_size(self, digest: Digest) -> int:
        """Return the size of a layer without compression, which only reading it tells."""
        size = 0
        with self._services.content.open(digest) as stream:
            _, plain = open_plain(stream)
            while piece := plain.read(_PIECE):
                size += len(piece)
        return size


class _Hashed:
    """A stream that knows the digest of what was read from it."""

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._hasher = Hasher()

    def read(self, count: int, /) -> bytes:
        data = self._source.read(count)
        self._hasher.update(data)
        return data

    def digest(self) -> Digest:
        return self._hasher.digest()


def _index_entries(manifest: Manifest, tags: Sequence[Reference]) -> list[Descriptor]:
    named: list[dict[str, str] | None] = [
        {FULL_NAME: tag.canonical, REF_NAME: tag.tag} for tag in tags
    ]
    return [
        Descriptor(
            media_type=manifest.media_type,
            digest=manifest.digest,
            size=len(manifest.raw),
            annotations=annotations,
        )
        for annotations in named or [None]
    ]


def _repositories(images: Sequence[ChosenImage]) -> dict[str, dict[str, str]]:
    """Return what readers older than Docker 1.10 go by: the topmost layer of every name."""
    found: dict[str, dict[str, str]] = {}
    for chosen in images:
        for tag in chosen.tags:
            if chosen.image.layers:
                top = hex_of(chosen.image.layers[-1])
                found.setdefault(tag.familiar_name, {})[tag.tag] = top
    return found


def _blob_name(digest: Digest) -> str:
    return f"{_BLOBS}/{hex_of(digest)}"
