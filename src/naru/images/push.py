"""`docker push`: images into a registry, as far as they are not there already.

Decides what is sent and in which manifest; `naru.images.pushing.layers` brings the blobs there.
Nothing of a push stays behind but what it has learned; one that was cut short is simply made
again, and finds what has arrived.

Spec: distribution-spec v1.1, §Push; records and messages as moby, distribution/push_v2.go.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from naru.aio import TaskSet, all_or_first_failure, in_thread
from naru.distribution.auth import RegistryAuth
from naru.distribution.upload import RepositoryWriter
from naru.errors import (
    CorruptDataError,
    InvalidInputError,
    NaruError,
    NotFoundError,
    UnauthenticatedError,
)
from naru.faults import fault_point
from naru.ids import short_id
from naru.images.catalog import Image
from naru.images.progress import LayerProgress, Report, status_record
from naru.images.pushing.layers import BlobPush, PushedLayer
from naru.images.pushing.manifest import is_made_here, manifest_of
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import DiffId, Digest
from naru.oci.manifest import MAX_MANIFEST_SIZE, Index, Manifest, parse_manifest
from naru.oci.reference import Reference

OWNER = "images.push"
_REQUEST = re.compile(r'^[A-Z][a-z]+ "[^"]+": ')
_AFTER_MANIFEST = fault_point("images.push.after_manifest")


async def push(
    services: ImageServices,
    reference: Reference,
    *,
    auth: RegistryAuth | None,
    is_platform_chosen: bool = False,
    report: Report,
) -> None:
    """Send an image to the registry in its name; of a name without a tag, all images.

    `report` is called on the loop with Docker's progress records. An image that came out of an
    index goes alone, which is told unless its platform was chosen. The images stay whole even if
    they are removed meanwhile.

    Raises:
        NotFoundError: there is no such image here.
        InvalidInputError: the reference cannot be pushed.
        CorruptDataError: an image is damaged.
        NaruError: the registry refuses it or cannot be reached, in its words and Docker's.
    """
    report(status_record(f"The push refers to repository [{reference.name}]"))
    tags = _tags(services, reference)
    writer = RepositoryWriter(
        services.http, reference.registry, reference.repository, auth, services.clock
    )
    try:
        await writer.connect()
        for tag in tags:
            await _push_one(services, writer, tag, report, tells_of_index=not is_platform_chosen)
    except NaruError as error:
        told = _as_docker_says(error)
        if told is error:
            raise
        raise told from error


def _tags(services: ImageServices, reference: Reference) -> list[Reference]:
    """Return the names to be pushed."""
    known = [name for name in services.catalog.in_repository(reference) if not name.digest]
    if not known:
        raise NotFoundError(
            f"An image does not exist locally with the tag: {reference.familiar_name}"
        )
    if reference.digest:
        raise InvalidInputError("cannot push a digest reference")
    if not reference.tag:
        return known
    if reference not in known:
        raise NotFoundError(f"tag does not exist: {reference.familiar}")
    return [reference]


async def _push_one(
    services: ImageServices,
    writer: RepositoryWriter,
    reference: Reference,
    report: Report,
    *,
    tells_of_index: bool,
) -> None:
    with services.lease(OWNER) as lease_id:
        image = services.catalog.resolve(reference.canonical)
        services.leases.add(lease_id, "blob", image.id, image.manifest_digest)
        plan = await in_thread(_plan, services, image)
        layers = await _push_layers(services, writer, plan, report)
        manifest = plan.manifest if plan.is_kept else manifest_of(plan.config, layers)
        await writer.put_manifest(reference.tag, manifest)
        _AFTER_MANIFEST()
        await in_thread(_record, services, image, reference, manifest, lease_id)
    _report_digest(report, reference, manifest)
    if tells_of_index:
        index = await in_thread(_index_of, services, image, manifest.digest)
        if index is not None:
            _report_index(report, index, manifest.descriptor(image.config.platform))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an image is made of, lowest layer first, and whether its manifest stays as it is."""

    manifest: Manifest
    config: Descriptor
    layers: Sequence[PushedLayer]
    is_kept: bool


def _plan(services: ImageServices, image: Image) -> _Plan:
    manifest = services.catalog.manifest(image)
    known = services.remote_blobs
    is_kept = known.is_known(manifest.digest) or not is_made_here(manifest)
    layers = [
        PushedLayer(diff_id, layer, is_kept or _goes_as_it_is(services, layer))
        for diff_id, layer in zip(image.layers, manifest.layers, strict=True)
    ]
    return _Plan(manifest, manifest.config, layers, is_kept)


def _goes_as_it_is(services: ImageServices, layer: Descriptor) -> bool:
    """Say whether a layer is compressed, or came from a registry as plain as it is."""
    return bool(mediatype.layer_compression(layer.media_type)) or (
        services.remote_blobs.is_known(layer.digest)
    )


async def _push_layers(
    services: ImageServices, writer: RepositoryWriter, plan: _Plan, report: Report
) -> list[Descriptor]:
    """Bring layers and config there; return the layers as they are there, lowest first.

    The first failure stops everything else.
    """
    blobs = BlobPush(services, writer)
    slots = asyncio.Semaphore(services.parallel_uploads)
    lines: dict[DiffId, LayerProgress] = {}
    for layer in reversed(plan.layers):
        line = LayerProgress(report, services.clock, short_id(layer.diff_id), layer.stored.size)
        line.say("Preparing")
        lines.setdefault(layer.diff_id, line)

    async def bring(layer: PushedLayer) -> Descriptor:
        line = lines[layer.diff_id]
        if slots.locked():
            line.say("Waiting")
        async with slots:
            return await blobs.layer(layer, line)

    wanted = {layer.diff_id: layer for layer in reversed(plan.layers)}
    sending = TaskSet("push")
    tasks = {
        diff_id: sending.start(bring(layer), reports_failure=False)
        for diff_id, layer in wanted.items()
    }
    try:
        await all_or_first_failure(list(tasks.values()))
        await blobs.config(plan.config)
    finally:
        await sending.close()
    return [tasks[layer.diff_id].result() for layer in plan.layers]


def _record(
    services: ImageServices,
    image: Image,
    reference: Reference,
    manifest: Manifest,
    lease_id: str,
) -> None:
    """Remember what the registry calls the image from now on."""
    services.leases.add(lease_id, "blob", manifest.digest)
    services.content.add(manifest.raw)
    services.catalog.add_pushed(image.id, reference.with_digest(manifest.digest))
    place = (reference.registry, reference.repository)
    services.remote_blobs.saw(*place, [manifest.digest], services.clock.now_ns())


def _report_digest(report: Report, reference: Reference, manifest: Manifest) -> None:
    size = len(manifest.raw)
    report(status_record(f"{reference.tag}: digest: {manifest.digest} size: {size}"))
    told = {"Tag": reference.tag, "Digest": manifest.digest, "Size": size}
    report({"progressDetail": {}, "aux": told})


def _report_index(report: Report, index: Descriptor, manifest: Descriptor) -> None:
    told = {
        "manifestPushedInsteadOfIndex": True,
        "originalIndex": index,
        "selectedManifest": manifest,
    }
    report({"progressDetail": {}, "aux": msgspec.to_builtins(told)})


def _index_of(services: ImageServices, image: Image, digest: Digest) -> Descriptor | None:
    """Return the index that a pushed manifest came out of, if it did.

    Only one of its images is here, so it is not pushed, and clients tell their users.
    """
    for name in services.rows.names(image.id):
        if name.reference.digest is None:
            continue
        try:
            raw = services.content.read(name.reference.digest, MAX_MANIFEST_SIZE)
            index = parse_manifest(raw)
        except (NotFoundError, CorruptDataError):
            continue
        if isinstance(index, Index) and any(entry.digest == digest for entry in index.manifests):
            return Descriptor(media_type=index.media_type, digest=index.digest, size=len(raw))
    return None


def _as_docker_says(error: NaruError) -> NaruError:
    """Return a refusal in the words that Docker's clients know from pushes: without the request.

    Spec: moby, distribution/errors.go, retryOnError.
    """
    if not isinstance(error, UnauthenticatedError):
        return error
    return UnauthenticatedError(_REQUEST.sub("", error.message), hint=error.hint)
