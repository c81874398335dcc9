"""`docker load`: images out of an archive, all of them or none.

Understands what `docker save` writes (a tar with `manifest.json`, with an OCI layout inside or
without, or as it was before Docker 1.10) and plain OCI layouts in a tar, compressed in any usual
way. Content is stored under its digest as it came; archives of Docker get a manifest of ours.

Spec: moby image-spec v1.2; image-spec v1.1, image-layout.md.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from naru.aio import in_thread
from naru.db.images import ImageRow
from naru.errors import CorruptDataError
from naru.faults import fault_point
from naru.images.archives.archive import Archive, ArchiveReader, ProgressOf
from naru.images.archives.at_hand import LayersAtHand
from naru.images.archives.plan import PlannedImage, plan_images
from naru.images.layer_intake import StoredLayer
from naru.images.layers.intake import read_in_thread
from naru.images.layers.pipe import Pipe, WriterFailedError
from naru.images.layers.unpack import LayerSource
from naru.images.progress import LayerProgress, Report
from naru.images.services import ImageServices
from naru.linux.memory import give_back_memory
from naru.oci.digest import DiffId
from naru.oci.platform import Platform, host_platform

OWNER = "images.load"
KEEPING_OWNER = "images.load.keeping"
_BEFORE_UNPACK = fault_point("images.load.before_unpack")
_BEFORE_CATALOG = fault_point("images.load.before_catalog")
_AFTER_CATALOG = fault_point("images.load.after_catalog")


async def load(
    services: ImageServices,
    chunks: AsyncIterator[bytes],
    *,
    quiet: bool,
    platform: Platform | None = None,
    keep: str = "",
    report: Report,
) -> list[str]:
    """Load every image of an archive; return their names, or the ids of those without.

    With `platform` only images for that one are loaded. Layers that the archive leaves out are
    taken from the store. With `keep`, a word for what is loaded, the layers that came before
    the archive was cut off stay for a day, or until a load of the same word succeeds; such
    loads take turns.

    All or nothing: whatever is wrong with the archive, there are the same images as before, and
    nothing is left of it. A power cut in the seconds after it may leave it undone (ADR 37), but
    for a name that it took from another image. `report` is called on the loop with Docker's
    progress records: unless `quiet`, while each layer comes in, and one `Loaded image…` for each
    name at the end.

    Raises:
        InvalidInputError: no archive of images, or one that contradicts itself.
        NotFoundError: nothing is for the `platform`.
        CorruptDataError: cut off, or content that is not what its digest says.
        FaultError: the disk is full or fails.
    """
    loop = asyncio.get_running_loop()

    def tell(record: dict[str, Any]) -> None:
        if not quiet:
            loop.call_soon_threadsafe(report, record)

    def progress_of(layer_id: str, size: int) -> LayerProgress:
        return LayerProgress(tell, services.clock, layer_id, size)

    turn = services.locks.hold(f"load {keep}") if keep else contextlib.nullcontext()
    try:
        async with turn:
            loaded = await read_in_thread(
                chunks, lambda pipe: _load(services, pipe, platform, keep, progress_of)
            )
    except Exception:
        await in_thread(services.garbage.collect)
        raise
    finally:
        await in_thread(give_back_memory)
    names: list[str] = []
    for image in loaded:
        for tag in image.tags:
            names.append(tag.familiar)
            report({"stream": f"Loaded image: {tag.familiar}\n"})
        if not image.tags:
            names.append(image.image_id)
            report({"stream": f"Loaded image ID: {image.image_id}\n"})
    return names


def _load(
    services: ImageServices,
    pipe: Pipe,
    platform: Platform | None,
    keep: str,
    progress_of: ProgressOf,
) -> Sequence[PlannedImage]:
    with (
        _kept_lease(services, keep) if keep else services.lease(OWNER) as lease_id,
        ArchiveReader(services, lease_id) as reader,
    ):
        archive = reader.read(pipe, progress_of)
        at_hand = LayersAtHand(services, lease_id)
        images = plan_images(archive, host_platform(), platform, at_hand=at_hand)
        _BEFORE_UNPACK()
        rows = [_stored_row(services, archive, image, lease_id) for image in images]
        _BEFORE_CATALOG()
        superseded = services.catalog.add(
            [(row, image.tags) for row, image in zip(rows, images, strict=True)], durable=False
        )
        _AFTER_CATALOG()
    if superseded or len(archive.layers) > sum(len(image.layers) for image in images):
        services.garbage.collect()
    return images


@contextlib.contextmanager
def _kept_lease(services: ImageServices, keep: str) -> Iterator[str]:
    """Give a lease that outlives the block if the archive is cut off after its first layer."""
    lease_id = f"{KEEPING_OWNER} {keep}"
    services.take_lease(lease_id, KEEPING_OWNER)
    is_kept = False
    try:
        yield lease_id
    except WriterFailedError:
        is_kept = bool(services.leases.items("blob", lease_id=lease_id))
        raise
    finally:
        if not is_kept:
            services.leases.release(lease_id)


def _stored_row(
    services: ImageServices, archive: Archive, image: PlannedImage, lease_id: str
) -> ImageRow:
    """Unpack an image and store its documents; return its row."""
    sources = [
        _source(services, archive, diff_id, layer)
        for diff_id, layer in zip(image.config.diff_ids, image.layers, strict=True)
    ]
    sizes = services.unpacker.unpack(sources, lease_id=lease_id)
    services.leases.add(lease_id, "blob", image.image_id, image.manifest.digest)
    for raw, digest in (
        (image.config.raw, image.image_id),
        (image.manifest.raw, image.manifest.digest),
    ):
        if services.content.add(raw, durable=False) != digest:
            raise CorruptDataError(f"blob {digest} has another digest")
    services.unsettled.add(image.image_id, image.manifest.digest)
    return ImageRow(
        image_id=image.image_id,
        manifest_digest=image.manifest.digest,
        chain_id=image.config.chain_id,
        parent_id=image.parent_id,
        layer_sizes=tuple(sizes),
    )


def _source(
    services: ImageServices, archive: Archive, diff_id: DiffId, layer: StoredLayer
) -> LayerSource:
    if layer.diff_id and layer.diff_id != diff_id:
        raise CorruptDataError(
            f'invalid diffID for layer: expected "{diff_id}", got "{layer.diff_id}"'
        )
    unpacked = archive.unpacked.get(diff_id)
    return LayerSource(diff_id, lambda: services.content.open(layer.digest), unpacked)
