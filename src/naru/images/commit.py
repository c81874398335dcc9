"""What a snapshot changed becomes an image: `commit`, and each step of a build.

The layer's tar is written, hashed, stored and unpacked in one pass. All or nothing, whenever it
is killed. For worker threads: everything blocks.

Spec: image-spec v1.1, config.md; moby, image/image.go, NewChildImage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from naru.db.images import ImageRow
from naru.errors import ConflictError, NotFoundError
from naru.faults import fault_point
from naru.images.catalog import Image
from naru.images.layer_intake import LayerIntake, StoredLayer
from naru.images.layers.pipe import Pipe, written_by
from naru.images.layers.unpack import LayerSource
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, DiffId, Digest
from naru.oci.image_config import History, ImageConfig, RunDefaults, build_image_config, chain_ids
from naru.oci.manifest import build_manifest
from naru.oci.platform import Platform, host_platform
from naru.oci.reference import Reference
from naru.store.tar_create import write_layer
from naru.units import print_rfc3339

OWNER = "images.commit"
_BEFORE_LAYER = fault_point("images.commit.before_layer")
_AFTER_LAYER = fault_point("images.commit.after_layer")
_BEFORE_CATALOG = fault_point("images.commit.before_catalog")


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to be made, but for its layer.

    `parent` is the image below; without one it is made from nothing. `created_by` goes into the
    history, as do `author` and `comment`. `platform` is the parent's unless it is given, and
    `created_ns` is now. `container` and `container_config` tell of a container that it was made
    from, to clients of old API versions.
    """

    parent: Image | None
    config: RunDefaults
    created_by: str = ""
    author: str = ""
    comment: str = ""
    created_ns: int | None = None
    platform: Platform | None = None
    names: Sequence[Reference] = field(default=())
    docker_version: str = ""
    container: str = ""
    container_config: RunDefaults | None = None


@dataclass(frozen=True, slots=True)
class CommittedLayer:
    """A layer that is stored and unpacked, under a lease of its maker. `size` is bytes on disk."""

    stored: StoredLayer
    chain_id: ChainId
    size: int


def commit_snapshot(services: ImageServices, key: str | None, image: NewImage) -> Digest:
    """Make an image of the parent and of what the active snapshot `key` changed on it.

    The snapshot stays as it is, and may be written to meanwhile by whoever can bear that. A
    snapshot without changes makes no layer, and neither does None: then only the config is new.
    The image is in the catalog under its names, if any, and with its parent; nothing is left of
    an attempt that fails. Idempotent, but for the time.

    Raises:
        NotFoundError: no active snapshot `key`, or the parent was removed.
        ConflictError: the snapshot has another parent.
        CorruptDataError: the parent is damaged.
        FaultError: the disk is full or fails.
    """
    try:
        with services.lease(OWNER) as lease_id:
            if image.parent is not None:
                _hold(services, image.parent, lease_id)
            layer = None if key is None else commit_layer(services, key, image.parent, lease_id)
            return store_image(services, image, layer, lease_id)
    except Exception:
        services.garbage.collect()
        raise


def commit_layer(
    services: ImageServices, key: str, parent: Image | None, lease_id: str
) -> CommittedLayer | None:
    """Store and unpack what the active snapshot `key` changed; None if that is nothing.

    What it makes is under the lease. A snapshot that was made on nothing may get any parent: all
    that is in it becomes the layer. Raises as `commit_snapshot`.
    """
    below = parent.layers if parent else ()
    under = parent.chain_id if parent else None
    info = services.snapshots.stat(key)
    if info is not None and info.parent not in (None, under):
        raise ConflictError(f"snapshot {key} is not built on the image that is to be its parent")
    _BEFORE_LAYER()
    with contextlib.ExitStack() as stack:
        found = stack.enter_context(services.snapshots.difference(key))
        if not found.changes:
            return None

        def write(pipe: Pipe) -> None:
            write_layer(found.root, found.changes, pipe.put)

        with written_by(write, "naru-commit") as pipe:
            taken = LayerIntake(services, lease_id, stack).take(
                bytes(pipe.read_piece()),
                pipe.read_piece,
                unpack=True,
                parent=under,
                is_sole=True,
            )
        _AFTER_LAYER()
        diff_id = DiffId(taken.stored.digest)
        chain_id = chain_ids([*below, diff_id])[-1]
        services.leases.add(lease_id, "snapshot", chain_id)
        source = LayerSource(
            diff_id, lambda: services.content.open(taken.stored.digest), taken.unpacking
        )
        services.unpacker.unpack_layer(len(below), source, chain_id, under, lease_id)
    return CommittedLayer(taken.stored, chain_id, services.snapshots.usage(chain_id))


def store_image(
    services: ImageServices, image: NewImage, layer: CommittedLayer | None, lease_id: str
) -> Digest:
    """Store config and manifest of an image whose layers are there, and add it to the catalog.

    Raises:
        CorruptDataError: the parent is damaged.
        FaultError: the disk is full or fails.
    """
    parent = image.parent
    config = _build_config(services, image, layer)
    layers = (
        [_described(item) for item in services.catalog.manifest(parent).layers] if parent else []
    )
    if layer is not None:
        layers.append(layer.stored.descriptor())
    manifest = build_manifest(
        Descriptor(media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)),
        layers,
    )
    services.leases.add(lease_id, "blob", config.digest, manifest.digest)
    services.content.add(config.raw)
    services.content.add(manifest.raw)
    row = ImageRow(
        image_id=config.digest,
        manifest_digest=manifest.digest,
        chain_id=config.chain_id,
        parent_id=parent.id if parent else "",
        layer_sizes=(*(parent.layer_sizes if parent else ()), *((layer.size,) if layer else ())),
    )
    _BEFORE_CATALOG()
    services.catalog.add([(row, [name.with_default_tag() for name in image.names])])
    return config.digest


def _hold(services: ImageServices, parent: Image, lease_id: str) -> None:
    """Keep an image's blobs from collection, even if the image is removed meanwhile.

    Raises:
        NotFoundError: it is removed already.
    """
    services.leases.add(lease_id, "blob", parent.id, parent.manifest_digest)
    if services.rows.get(parent.id) is None:
        raise NotFoundError(f"No such image: {parent.id}")


def _build_config(
    services: ImageServices, image: NewImage, layer: CommittedLayer | None
) -> ImageConfig:
    below = image.parent.config if image.parent else None
    moment = services.clock.now_ns() if image.created_ns is None else image.created_ns
    step = History(
        created=print_rfc3339(moment),
        created_by=image.created_by,
        author=image.author,
        comment=image.comment,
        empty_layer=layer is None,
    )
    return build_image_config(
        platform=image.platform or (below.platform if below else host_platform()),
        diff_ids=[
            *(below.diff_ids if below else ()),
            *((DiffId(Digest(layer.stored.diff_id)),) if layer else ()),
        ],
        config=image.config,
        created=print_rfc3339(moment),
        author=image.author,
        history=[*(below.history if below else ()), step],
        docker_version=image.docker_version,
        container=image.container,
        container_config=image.container_config,
    )


def _described(layer: Descriptor) -> Descriptor:
    """Return a layer of the parent as an OCI manifest names it, whatever named it before."""
    compression = mediatype.layer_compression(layer.media_type)
    return Descriptor(
        media_type=mediatype.OCI_LAYERS[compression], digest=layer.digest, size=layer.size
    )


def stored_layers(services: ImageServices, image: Image) -> list[StoredLayer]:
    """Return the layers of an image as they are stored, lowest first.

    Raises:
        CorruptDataError: the image is damaged.
    """
    return [
        StoredLayer(layer.digest, layer.size, mediatype.layer_compression(layer.media_type), diff)
        for layer, diff in zip(services.catalog.manifest(image).layers, image.layers, strict=True)
    ]
