"""`docker import`: a root file system in a tar becomes an image of one layer."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from naru.aio import in_thread
from naru.db.images import ImageRow
from naru.distribution.download import download
from naru.dockerfile.changes import apply_changes
from naru.errors import InvalidInputError
from naru.faults import fault_point
from naru.images.catalog import check_tag_target
from naru.images.layer_intake import LayerIntake, StoredLayer
from naru.images.layers.intake import read_in_thread
from naru.images.layers.pipe import Pipe
from naru.images.layers.unpack import LayerSource
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest
from naru.oci.image_config import History, ImageConfig, RunDefaults, build_image_config
from naru.oci.manifest import build_manifest
from naru.oci.platform import Platform, host_platform
from naru.oci.reference import Reference
from naru.units import print_rfc3339

OWNER = "images.import"
_HEAD_SIZE = 512
_BEFORE_CATALOG = fault_point("images.import.before_catalog")


def url_chunks(services: ImageServices, url: str) -> AsyncIterator[bytes]:
    """Return the body of a URL, as a source for `import_image`. Raises while it is read.

    Raises:
        InvalidInputError: no URL that we fetch.
        FaultError: it cannot be had.
    """
    return download(services.http, url)


async def import_image(
    services: ImageServices,
    chunks: AsyncIterator[bytes],
    *,
    reference: Reference | None,
    changes: Sequence[str],
    message: str,
    platform: Platform | None,
    source: str = "-",
    docker_version: str = "",
) -> str:
    """Make an image of a tar, compressed or not, and return its id. All or nothing.

    `changes` are Dockerfile instructions for its config; `message` goes into its history, by
    default where it comes from, which is `source`. An empty tar is an empty image. The request
    is checked before the first byte is read.

    Raises:
        InvalidInputError: a change, the name, or what is in the tar cannot be.
        CorruptDataError: no tar, or cut off.
        FaultError: the disk is full or fails.
    """
    if reference is not None:
        if reference.digest is not None:
            raise InvalidInputError("cannot import digest reference")
        check_tag_target(reference)
    defaults = apply_changes(RunDefaults(), changes)
    created = print_rfc3339(services.clock.now_ns())
    comment = message or f"Imported from {source}"

    def build_config(diff_id: DiffId) -> ImageConfig:
        return build_image_config(
            platform=platform or host_platform(),
            diff_ids=[diff_id],
            config=defaults,
            created=created,
            comment=comment,
            docker_version=docker_version,
            history=[History(created=created, comment=comment)],
        )

    def work(pipe: Pipe) -> str:
        with services.lease(OWNER) as lease_id, contextlib.ExitStack() as stack:
            stored = _take(services, lease_id, stack, pipe)
            config = build_config(DiffId(Digest(stored.diff_id)))
            row = _store(services, lease_id, config, stored)
            _BEFORE_CATALOG()
            names = [reference.with_default_tag()] if reference else []
            services.catalog.add([(row, names)])
        return row.image_id

    try:
        return await read_in_thread(chunks, work)
    except Exception:
        await in_thread(services.garbage.collect)
        raise


def _take(
    services: ImageServices, lease_id: str, stack: contextlib.ExitStack, pipe: Pipe
) -> StoredLayer:
    first = b""
    while len(first) < _HEAD_SIZE and (piece := pipe.read_piece()):
        first += piece
    intake = LayerIntake(services, lease_id, stack)
    taken = intake.take(first, pipe.read_piece, unpack=True, is_sole=True)
    layer = LayerSource(
        DiffId(Digest(taken.stored.diff_id)),
        lambda: services.content.open(taken.stored.digest),
        taken.unpacking,
    )
    services.unpacker.unpack([layer], lease_id=lease_id)
    return taken.stored


def _store(
    services: ImageServices, lease_id: str, config: ImageConfig, layer: StoredLayer
) -> ImageRow:
    manifest = build_manifest(
        Descriptor(media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)),
        [layer.descriptor()],
    )
    services.leases.add(lease_id, "blob", config.digest, manifest.digest)
    services.content.add(config.raw)
    services.content.add(manifest.raw)
    chain_id = config.chain_id
    assert chain_id is not None
    return ImageRow(
        image_id=config.digest,
        manifest_digest=manifest.digest,
        chain_id=chain_id,
        layer_sizes=(services.snapshots.usage(chain_id),),
    )
