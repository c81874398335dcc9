"""What is wrong with the store, decided: facts in, findings out. Pure.

Facts are gathered by `images.checking.inventory` while others work, so each group is read in the order
that makes its question safe to ask: what is on disk before what refers to it where the question
is whether somebody needs it, and the other way round where something may be missing.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from naru.db.images import ImageRow, NameRow
from naru.ids import short_id
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, DiffId, Digest
from naru.oci.image_config import ImageConfig, chain_ids
from naru.oci.manifest import Manifest
from naru.store.gc import Reachable
from naru.store.snapshotter import SnapshotInfo, Survey

OTHER_BYTES = "holds other bytes than its digest says"

Kind = Literal[
    "blob-damaged",
    "blob-missing",
    "blob-unneeded",
    "layer-damaged",
    "layer-missing",
    "layer-unneeded",
    "container-lost",
    "directory-unneeded",
    "write-unneeded",
    "lease-expired",
    "name-dangling",
    "index-outdated",
]


_FETCH = "fetch it again, or make it anew from what is there"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: `what` it is, in words, and what would `mend` it.

    `thing` is a digest, a chain id, a name or a path; together with `kind` it tells one finding
    from another. `images` and `containers` are the names of those that it affects.
    """

    kind: Kind
    thing: str
    what: str
    mend: str
    images: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        return self.kind, self.thing


@dataclass(frozen=True, slots=True)
class Holder:
    """A container, and the keys of the snapshots that it mounts."""

    id: str
    name: str
    is_running: bool
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """One image: its row, its names, and of its documents those that could be read."""

    row: ImageRow
    names: tuple[NameRow, ...]
    manifest: Manifest | None
    config: ImageConfig | None

    @property
    def shown(self) -> str:
        """Return the name to call it by."""
        familiar = [name.reference.familiar for name in self.names]
        return familiar[0] if familiar else short_id(self.row.image_id)


@dataclass(frozen=True, slots=True)
class LayerFacts:
    """Where a snapshot comes from: the blob to unpack, what it must turn out to be, on what."""

    chain_id: ChainId
    parent: ChainId | None
    diff_id: DiffId
    blob: Descriptor
    position: int


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was found on disk and in the database."""

    images: Sequence[ImageFacts]
    dangling_names: Sequence[NameRow]
    blobs: Mapping[Digest, int]
    snapshots: Mapping[str, SnapshotInfo]
    survey: Survey
    reachable: Reachable
    ingests: Collection[str]
    leased_ingests: Collection[str]
    expired_leases: Collection[str]
    holders: Sequence[Holder]
    index_is_current: bool
    layers: Mapping[str, LayerFacts] = field(default_factory=dict)

    def images_of_blob(self, digest: str) -> tuple[str, ...]:
        """Return the images that lead to a blob."""
        return tuple(image.shown for image in self.images if digest in wanted_blobs(image))

    def images_of_layer(self, chain_id: str) -> tuple[str, ...]:
        """Return the images that a layer belongs to."""
        return tuple(
            image.shown
            for image in self.images
            if image.config is not None and chain_id in chain_ids(image.config.diff_ids)
        )

    def holders_of_layer(self, chain_id: str) -> list[Holder]:
        """Return the containers whose files stand on a layer."""
        return [
            holder
            for holder in self.holders
            if any(chain_id in self.below(key) for key in holder.keys)
        ]

    def below(self, key: str) -> set[str]:
        """Return the names of all that a snapshot stands on, itself not among them."""
        return stack_below(self.snapshots, key)


def stack_below(snapshots: Mapping[str, SnapshotInfo], key: str) -> set[str]:
    """Return the names of all that a snapshot stands on, as far as they are known."""
    found: set[str] = set()
    info = snapshots.get(key)
    while info is not None and info.parent is not None and info.parent not in found:
        found.add(info.parent)
        info = snapshots.get(info.parent)
    return found


def wanted_blobs(image: ImageFacts) -> dict[Digest, str]:
    """Return the blobs that an image needs, and what each of them is to it."""
    wanted = {image.row.manifest_digest: "manifest", image.row.image_id: "config"}
    for name in image.names:
        if name.reference.digest:
            wanted.setdefault(name.reference.digest, "index")
    if image.manifest is not None:
        layers = [
            layer for layer in image.manifest.layers if layer.media_type != mediatype.OCI_EMPTY
        ]
        for number, layer in enumerate(layers, start=1):
            wanted.setdefault(layer.digest, f"layer {number} of {len(layers)}")
    return wanted


def layers_of(images: Iterable[ImageFacts]) -> dict[str, LayerFacts]:
    """Return the layers of images whose documents are there, by chain id."""
    found: dict[str, LayerFacts] = {}
    for image in images:
        if image.manifest is None or image.config is None:
            continue
        if len(image.manifest.layers) != len(image.config.diff_ids):
            continue
        chain = chain_ids(image.config.diff_ids)
        for position, chain_id in enumerate(chain):
            found.setdefault(
                chain_id,
                LayerFacts(
                    chain_id=chain_id,
                    parent=chain[position - 1] if position else None,
                    diff_id=image.config.diff_ids[position],
                    blob=image.manifest.layers[position],
                    position=position,
                ),
            )
    return found


def find(inventory: Inventory) -> list[Finding]:
    """Return what does not fit together, without looking into blobs and trees."""
    return [
        *_missing_blobs(inventory),
        *_missing_layers(inventory),
        *_lost_containers(inventory),
        *_unneeded(inventory),
        *_rows(inventory),
    ]


def _missing_blobs(inventory: Inventory) -> Iterable[Finding]:
    told: set[Digest] = set()
    for image in inventory.images:
        sizes = (
            {layer.digest: layer.size for layer in image.manifest.layers} if image.manifest else {}
        )
        for digest, role in wanted_blobs(image).items():
            if digest in told:
                continue
            size = inventory.blobs.get(digest)
            expected = sizes.get(digest, size)
            is_unread = (role == "manifest" and image.manifest is None) or (
                role == "config" and image.config is None
            )
            if size is not None and size == expected and not is_unread:
                continue
            told.add(digest)
            affected = inventory.images_of_blob(digest)
            if size is None:
                yield missing_blob(digest, role, affected)
            elif size != expected:
                yield damaged_blob(digest, role, f"has {size} bytes, not {expected}", affected)
            else:
                yield damaged_blob(digest, role, OTHER_BYTES, affected)


def missing_blob(digest: str, role: str, images: tuple[str, ...]) -> Finding:
    """Return that a blob is not there, and is a manifest, a config or a layer of images."""
    return Finding("blob-missing", digest, f"{role} is missing", _FETCH, images)


def damaged_blob(digest: str, role: str, what: str, images: tuple[str, ...]) -> Finding:
    """Return that a blob has other bytes than its digest says."""
    return Finding("blob-damaged", digest, f"{role} {what}", _FETCH, images)


def _missing_layers(inventory: Inventory) -> Iterable[Finding]:
    lost = {info.key for info in inventory.survey.lost}
    wanted = {
        chain_id: None
        for image in inventory.images
        if image.config is not None
        for chain_id in chain_ids(image.config.diff_ids)
    }
    for holder in inventory.holders:
        for key in holder.keys:
            wanted |= dict.fromkeys(ChainId(Digest(name)) for name in inventory.below(key))
    for chain_id in wanted:
        info = inventory.snapshots.get(chain_id)
        if info is None or info.kind != "committed" or chain_id in lost:
            yield of_layer(inventory, "layer-missing", chain_id, "is not unpacked")


def of_layer(inventory: Inventory, kind: Kind, chain_id: str, what: str) -> Finding:
    """Return that something is wrong with an unpacked layer."""
    return Finding(
        kind,
        chain_id,
        what,
        "unpack it again" if chain_id in inventory.layers else "pull or load its image again",
        inventory.images_of_layer(chain_id),
        tuple(holder.name for holder in inventory.holders_of_layer(chain_id)),
    )


def _lost_containers(inventory: Inventory) -> Iterable[Finding]:
    lost = {info.key for info in inventory.survey.lost}
    for holder in inventory.holders:
        for key in holder.keys:
            if key not in inventory.snapshots or key in lost:
                yield Finding(
                    "container-lost",
                    key,
                    "the container's own files are gone",
                    f"remove it: naru rm {holder.name}",
                    (),
                    (holder.name,),
                )


def _unneeded(inventory: Inventory) -> Iterable[Finding]:
    for digest, size in inventory.blobs.items():
        if digest not in inventory.reachable.blobs:
            yield Finding("blob-unneeded", digest, f"nothing needs its {size} bytes", "remove it")
    for key, info in inventory.snapshots.items():
        if info.kind == "committed" and key not in inventory.reachable.snapshots:
            yield Finding("layer-unneeded", key, "nothing needs it", "remove it")
    for name in inventory.survey.strays:
        yield Finding("directory-unneeded", name, "belongs to no snapshot", "remove it")
    for key in inventory.ingests:
        if key not in inventory.leased_ingests:
            yield Finding("write-unneeded", key, "nobody goes on with this write", "remove it")


def _rows(inventory: Inventory) -> Iterable[Finding]:
    for lease in inventory.expired_leases:
        yield Finding("lease-expired", lease, "its time is over", "end it")
    for name in inventory.dangling_names:
        what = f"names {name.image_id}, which is not there"
        yield Finding("name-dangling", name.reference.familiar, what, "remove the name")
    # What cannot be read cannot be listed.
    if not inventory.index_is_current and all(image.manifest for image in inventory.images):
        yield Finding("index-outdated", "index.json", "does not list the images", "write it anew")
