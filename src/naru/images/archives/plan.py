"""What the documents of an archive mean: which images it holds, of which layers, by which names.

Documents and stored layers in, a list of images out. Everything that can be checked without
unpacking is checked here.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import msgspec

from naru import untrusted_json
from naru.errors import CorruptDataError, InvalidInputError, NotFoundError, NotSupportedError
from naru.images.archives.archive import Archive
from naru.images.archives.at_hand import LayersAtHand
from naru.images.archives.legacy import REPOSITORIES, legacy_images
from naru.images.layer_intake import StoredLayer
from naru.oci import mediatype
from naru.oci.annotations import FULL_NAME, REF_NAME
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, algorithm_of, digest_bytes, hex_of, parse_digest
from naru.oci.image_config import ImageConfig, parse_image_config
from naru.oci.manifest import Index, Manifest, build_manifest, parse_manifest
from naru.oci.platform import Platform, matches
from naru.oci.reference import Reference

_MANIFESTS, _INDEX = "manifest.json", "index.json"
_INDEX_DEPTH = 8
# What is called by its digest must have it; by no other way could a changed config be told.
_CONFIG_NAME = re.compile(r"(?:\./)?(?:blobs/sha256/)?([0-9a-f]{64})(?:\.json)?")
_ATTESTS = "vnd.docker.reference.type"


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """One image of an archive. `layers` are in the order of the config's diff_ids."""

    image_id: Digest
    config: ImageConfig
    manifest: Manifest
    layers: tuple[StoredLayer, ...]
    tags: tuple[Reference, ...]
    parent_id: str = ""


class _SavedImage(msgspec.Struct):
    config: str = msgspec.field(default="", name="Config")
    repo_tags: list[str] | None = msgspec.field(default=None, name="RepoTags")
    layers: list[str] | None = msgspec.field(default=None, name="Layers")
    parent: str = msgspec.field(default="", name="Parent")


def plan_images(
    archive: Archive,
    host: Platform,
    wanted: Platform | None = None,
    *,
    at_hand: LayersAtHand,
) -> list[PlannedImage]:
    """Return the images of an archive, or only those for the platform that is `wanted`.

    Between platforms of one name that decides, and by default the `host`. Layers that the
    archive leaves out are taken from those `at_hand`.

    Raises:
        InvalidInputError: no documents that tell of images, or names that are none.
        NotFoundError: nothing is for the wanted platform, or of several for this host's.
        CorruptDataError: documents that contradict each other, or their digests.
    """
    if _MANIFESTS in archive.documents:
        images = _saved_images(archive, at_hand)
    elif _INDEX in archive.documents:
        images = _layout_images(archive, wanted or host, at_hand)
    elif REPOSITORIES in archive.documents:
        images = [
            PlannedImage(
                image_id=image.config.digest,
                config=image.config,
                manifest=_manifest_of(image.config, image.layers),
                layers=image.layers,
                tags=image.tags,
            )
            for image in legacy_images(archive)
        ]
    else:
        raise InvalidInputError(
            "invalid archive: does not contain a manifest.json",
            hint="load takes what `save` writes, and OCI layouts; `import` takes root file systems",
        )
    for image in images:
        system = image.config.os or host.os
        if system.lower() != host.os:
            raise InvalidInputError(f"cannot load {system} image on {host.os}")
    if wanted is None:
        return images
    found = [image for image in images if matches(image.config.platform, wanted)]
    if not found and _MANIFESTS in archive.documents and _INDEX in archive.documents:
        # What Docker saves of an image for many platforms has one of them in the manifest only.
        layout = _layout_images(archive, wanted, at_hand)
        found = [image for image in layout if matches(image.config.platform, wanted)]
    if not found:
        raise NotFoundError(f"requested platform ({wanted}) not found in the archive")
    return found


def _saved_images(archive: Archive, at_hand: LayersAtHand) -> list[PlannedImage]:
    try:
        saved = untrusted_json.decode(archive.document(_MANIFESTS), type=list[_SavedImage])
    except msgspec.MsgspecError as error:
        raise CorruptDataError(f"{_MANIFESTS}: {error}") from error
    images = [_saved_image(archive, image, at_hand) for image in saved]
    by_id: dict[str, PlannedImage] = {image.image_id: image for image in images}
    return [
        replace(image, parent_id=_parent_id(image, by_id.get(entry.parent)))
        for image, entry in zip(images, saved, strict=True)
    ]


def _parent_id(image: PlannedImage, parent: PlannedImage | None) -> str:
    """Return the parent that an archive names, if the image can have been made of it."""
    if parent is None:
        return ""
    below, above = parent.config, image.config
    is_one_step = above.history[:-1] == below.history
    is_prefix = above.diff_ids[: len(below.diff_ids)] == below.diff_ids
    return parent.image_id if is_one_step and is_prefix and parent is not image else ""


def _saved_image(archive: Archive, saved: _SavedImage, at_hand: LayersAtHand) -> PlannedImage:
    config = parse_image_config(archive.document(saved.config))
    named = _CONFIG_NAME.fullmatch(saved.config)
    if named and named[1] != hex_of(config.digest):
        raise CorruptDataError(f"{saved.config}: its digest is {config.digest}")
    names = saved.layers or []
    if len(names) != len(config.diff_ids):
        raise CorruptDataError(
            f"invalid manifest, layers length mismatch: expected {len(names)}, "
            f"got {len(config.diff_ids)}"
        )
    layers = tuple(
        (archive.has_no_layer(name) and at_hand.by_diff_ids(config.diff_ids[: position + 1]))
        or archive.layer(name)
        for position, name in enumerate(names)
    )
    for position, (layer, diff_id) in enumerate(zip(layers, config.diff_ids, strict=True)):
        if layer.diff_id and layer.diff_id != diff_id:
            raise CorruptDataError(
                f'invalid diffID for layer {position}: expected "{diff_id}", got "{layer.diff_id}"'
            )
    return PlannedImage(
        image_id=config.digest,
        config=config,
        manifest=_saved_manifest(archive, config, layers) or _manifest_of(config, layers),
        layers=layers,
        tags=tuple(_tag(name) for name in saved.repo_tags or ()),
    )


def _manifest_of(config: ImageConfig, layers: Sequence[StoredLayer]) -> Manifest:
    descriptor = Descriptor(
        media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)
    )
    return build_manifest(descriptor, [layer.descriptor() for layer in layers])


def _saved_manifest(
    archive: Archive, config: ImageConfig, layers: Sequence[StoredLayer]
) -> Manifest | None:
    """Return the image's own manifest, if the archive has it: its digest must not change."""
    for name, raw in archive.documents.items():
        if not name.startswith("blobs/sha256/") or config.digest.encode() not in raw:
            continue
        try:
            manifest = parse_manifest(raw)
        except (CorruptDataError, NotSupportedError):
            continue
        if (
            isinstance(manifest, Manifest)
            and manifest.config.digest == config.digest
            and [layer.digest for layer in manifest.layers] == [layer.digest for layer in layers]
            and posixpath.basename(name) == hex_of(manifest.digest)
        ):
            return manifest
    return None


def _tag(name: str) -> Reference:
    reference = Reference.parse(name)
    if not reference.tag or reference.digest:
        raise InvalidInputError(f'invalid tag "{name}"')
    return reference


def _layout_images(archive: Archive, host: Platform, at_hand: LayersAtHand) -> list[PlannedImage]:
    index = parse_manifest(archive.document(_INDEX), mediatype.OCI_INDEX)
    if not isinstance(index, Index):
        raise CorruptDataError(f"{_INDEX} is no index")
    by_name: dict[str, list[Descriptor]] = {}
    for entry in index.manifests:
        if _may_be_image(archive, entry):
            by_name.setdefault(_layout_name(entry), []).append(entry)
    images: dict[Digest, PlannedImage] = {}
    for name, entries in by_name.items():
        # Without a name nothing says that several entries are one image for many platforms.
        groups = [entries] if name else [[entry] for entry in entries]
        for group in groups:
            image = _layout_image(archive, _chosen(group, host), name, host, at_hand)
            known = images.get(image.manifest.digest)
            tags = (*(known.tags if known else ()), *image.tags)
            images[image.manifest.digest] = replace(image, tags=tags)
    if not images:
        raise InvalidInputError(f"invalid archive: {_INDEX} names no image")
    return list(images.values())


def _may_be_image(archive: Archive, entry: Descriptor) -> bool:
    """Say whether an entry of the topmost index is an image: signatures and the like are not."""
    if entry.media_type not in mediatype.INDEXES | mediatype.MANIFESTS:
        return False
    if entry.artifact_type or _ATTESTS in (entry.annotations or {}):
        return False
    found = parse_manifest(_layout_document(archive, entry), entry.media_type)
    return isinstance(found, Index) or found.config.media_type in mediatype.CONFIGS


def _layout_name(entry: Descriptor) -> str:
    """Return the name that an entry gives its image; a bare tag is no name."""
    annotations = entry.annotations or {}
    name = annotations.get(FULL_NAME) or annotations.get(REF_NAME, "")
    return name if any(mark in name for mark in "/:") else ""


def _chosen(entries: Sequence[Descriptor], host: Platform) -> Descriptor:
    """Return the entry for the host; the only image there is, whatever it is for."""
    images = [entry for entry in entries if _ATTESTS not in (entry.annotations or {})]
    if len(images) == 1:
        return images[0]
    chosen = Index(b"", mediatype.OCI_INDEX, tuple(images)).select(host)
    if chosen is None:
        raise NotFoundError(f"no matching manifest for {host} in the archive")
    return chosen


def _layout_image(
    archive: Archive, entry: Descriptor, name: str, host: Platform, at_hand: LayersAtHand
) -> PlannedImage:
    manifest = _layout_manifest(archive, entry, host)
    config = parse_image_config(_layout_document(archive, manifest.config))
    layers = tuple(_layout_layer(archive, layer, at_hand) for layer in manifest.layers)
    if len(layers) != len(config.diff_ids):
        raise CorruptDataError(
            f"invalid manifest, layers length mismatch: expected {len(layers)}, "
            f"got {len(config.diff_ids)}"
        )
    tags: tuple[Reference, ...] = ()
    if name:
        reference = Reference.parse(name).with_default_tag()
        tags = (reference,) if reference.digest is None else ()
    return PlannedImage(config.digest, config, manifest, layers, tags)


def _layout_manifest(archive: Archive, entry: Descriptor, host: Platform) -> Manifest:
    """Follow an entry, through indexes, to the manifest for this host."""
    for _ in range(_INDEX_DEPTH):
        found = parse_manifest(_layout_document(archive, entry), entry.media_type)
        if isinstance(found, Manifest):
            return found
        entry = _chosen(found.manifests, host)
    raise CorruptDataError("index of indexes is too deep")


def _blob_name(digest: Digest) -> str:
    checked = parse_digest(digest)
    return f"blobs/{algorithm_of(checked)}/{hex_of(checked)}"


def _layout_document(archive: Archive, entry: Descriptor) -> bytes:
    raw = archive.document(_blob_name(entry.checked().digest))
    actual = digest_bytes(raw, algorithm_of(entry.digest))
    if actual != entry.digest or len(raw) != entry.size:
        raise CorruptDataError(
            f"blob {entry.digest} of {entry.size} bytes is {actual} of {len(raw)} bytes"
        )
    return raw


def _layout_layer(archive: Archive, entry: Descriptor, at_hand: LayersAtHand) -> StoredLayer:
    if not mediatype.is_layer(entry.media_type):
        raise InvalidInputError(f"unsupported layer media type {entry.media_type!r}")
    name = _blob_name(entry.checked().digest)
    layer = (archive.has_no_layer(name) and at_hand.by_digest(entry.digest)) or archive.layer(name)
    if layer.digest != entry.digest or layer.size != entry.size:
        raise CorruptDataError(
            f"blob {entry.digest} of {entry.size} bytes is {layer.digest} of {layer.size} bytes"
        )
    return layer
