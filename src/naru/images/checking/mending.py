"""What is damaged or missing, brought back from where it can be had.

A blob comes from the registry that its image came from, or is made anew: a layer from its
unpacked tree, a manifest from its config, if that gives the very bytes. A tree comes from its
blob. New bytes take the place of damaged ones in one step, so what is there stays until there is
something better, and a kill on the way changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from naru.aio import in_thread
from naru.distribution.auth import RegistryAuth
from naru.distribution.fetch import RemoteRepository
from naru.errors import CorruptDataError, NaruError, NotFoundError
from naru.faults import fault_point
from naru.images.checking.findings import Finding, ImageFacts, Inventory, LayerFacts, wanted_blobs
from naru.images.layers.pipe import Pipe, written_by
from naru.images.layers.unpack import LayerSource, Unpacking
from naru.images.pulling.blobs import BlobPull, Watcher
from naru.images.services import ImageServices
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import Digest, is_digest
from naru.oci.manifest import build_manifest
from naru.oci.reference import Reference
from naru.store.tar_create import write_layer

OWNER = "images.mend"
_PIECE = 1 << 20
_BEFORE_REPLACE = fault_point("images.mend.before_replace")
_AFTER_BLOB = fault_point("images.mend.after_blob")


async def mend_blob(
    services: ImageServices,
    inventory: Inventory,
    digest: Digest,
    auths: Mapping[str, RegistryAuth],
) -> str:
    """Bring a damaged or missing blob back; return why not, or nothing.

    `auths` are logins by registry. Idempotent.
    """
    images = [image for image in inventory.images if digest in wanted_blobs(image)]
    with services.lease(OWNER) as lease_id:
        services.leases.add(lease_id, "blob", digest)
        if await in_thread(_make_anew, services, inventory, images, digest, lease_id):
            _AFTER_BLOB()
            return ""
        reasons = []
        for image in images:
            for reference in _homes(image):
                remote = RemoteRepository(
                    services.http,
                    reference.registry,
                    reference.repository,
                    auths.get(reference.registry),
                    services.clock,
                )
                try:
                    await _fetch(services, remote, image, digest, lease_id)
                except NaruError as error:
                    reasons.append(f"{reference.familiar_name}: {error.message}")
                else:
                    _AFTER_BLOB()
                    return ""
    # What came of it before the failure is of no use to anybody, now that the lease is over.
    await in_thread(services.garbage.collect)
    return "; ".join(dict.fromkeys(reasons)) or _told_to_bring(images)


def _told_to_bring(images: Sequence[ImageFacts]) -> str:
    shown = images[0].shown if images else ""
    return f"it came from no registry: load or build {shown} again".rstrip()


def _homes(image: ImageFacts) -> list[Reference]:
    """Return where an image came from, each repository once."""
    found: dict[str, Reference] = {}
    for name in image.names:
        if name.reference.digest:
            found.setdefault(name.reference.name, name.reference)
    return list(found.values())


async def _fetch(
    services: ImageServices,
    remote: RemoteRepository,
    image: ImageFacts,
    digest: Digest,
    lease_id: str,
) -> None:
    descriptor = _descriptor(image, digest)
    if descriptor is not None:
        pull = BlobPull(services, remote, lease_id)
        await _fetch_anew(pull, descriptor)
        return
    if digest == image.row.image_id:
        raise CorruptDataError("the manifest, which says where the config is, is missing, too")
    fetched = await remote.manifest(digest)
    await in_thread(services.content.add, fetched.raw, anew=True)


async def _fetch_anew(pull: BlobPull, descriptor: Descriptor) -> None:
    watcher = Watcher()
    try:
        await pull.fetch(descriptor, watcher, anew=True)
    finally:
        watcher.arrival.close()


def _descriptor(image: ImageFacts, digest: Digest) -> Descriptor | None:
    if image.manifest is not None:
        for descriptor in (image.manifest.config, *image.manifest.layers):
            if descriptor.digest == digest:
                return descriptor
    return None


def _make_anew(
    services: ImageServices,
    inventory: Inventory,
    images: Sequence[ImageFacts],
    digest: Digest,
    lease_id: str,
) -> bool:
    """Make a blob from what else is there; say whether that gave its very bytes."""
    for facts in inventory.layers.values():
        # What was compressed elsewhere cannot be compressed to the same bytes.
        if facts.blob.digest == facts.diff_id == digest:
            return _layer_from_tree(services, facts, lease_id)
    return any(
        image.row.manifest_digest == digest and _manifest_from_config(services, image)
        for image in images
    )


def _layer_from_tree(services: ImageServices, facts: LayerFacts, lease_id: str) -> bool:
    digest = facts.blob.digest
    key = f"mend-{digest}"
    services.leases.add(lease_id, "ingest", key)
    try:
        with (
            services.snapshots.opened(facts.chain_id) as tree,
            services.content.ingest(key, expected_digest=digest) as ingest,
        ):
            ingest.restart()

            def write(pipe: Pipe) -> None:
                write_layer(tree.root, tree.changes, pipe.put)

            with written_by(write, "naru-mend") as pipe:
                while piece := pipe.read(_PIECE):
                    ingest.write(piece)
            ingest.commit()
    except (CorruptDataError, NotFoundError):
        return False
    return True


def _manifest_from_config(services: ImageServices, image: ImageFacts) -> bool:
    """Make the manifest that images get here, whose layers are stored as they are."""
    config = image.config
    if config is None:
        return False
    sizes = [services.content.stat(diff_id) for diff_id in config.diff_ids]
    manifest = build_manifest(
        Descriptor(media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)),
        [
            Descriptor(media_type=mediatype.OCI_LAYER, digest=diff_id, size=size or 0)
            for diff_id, size in zip(config.diff_ids, sizes, strict=True)
        ],
    )
    if manifest.digest != image.row.manifest_digest:
        return False
    services.content.add(manifest.raw, anew=True)
    return True


def unpack_again(services: ImageServices, facts: LayerFacts, lease_id: str) -> Unpacking:
    """Unpack a layer beside its damaged tree, to be put in its place, or dropped. Blocking.

    Raises:
        CorruptDataError: the layer is not what it should be.
        NotFoundError: its blob, or a layer below, is missing.
        FaultError: the disk is full or fails.
    """
    services.leases.add(lease_id, "blob", facts.blob.digest)
    services.leases.add(lease_id, "snapshot", facts.chain_id)
    if facts.parent is not None:
        services.leases.add(lease_id, "snapshot", facts.parent)
    source = LayerSource(facts.diff_id, lambda: services.content.open(facts.blob.digest))
    return services.unpacker.unpack_anew(source, facts.chain_id, facts.parent, lease_id)


def put_in_place(
    services: ImageServices, facts: LayerFacts, unpacking: Unpacking, *, is_mounted: bool
) -> None:
    """Let a fresh tree take the place of the damaged one. Blocking; one step.

    The old one is deleted now, or if `is_mounted` says that a container may have a hand on it,
    by the next start of the engine.
    """
    _BEFORE_REPLACE()
    replaced = unpacking.replace(facts.chain_id)
    if replaced is not None and not is_mounted:
        services.snapshots.purge(replaced)


def clear(services: ImageServices, findings: Sequence[Finding]) -> None:
    """Remove what nobody needs, and write the index anew. Blocking; idempotent.

    Raises:
        FaultError: the disk fails.
    """
    for finding in findings:
        if finding.kind == "directory-unneeded":
            services.snapshots.remove_stray(finding.thing)
        elif finding.kind == "name-dangling":
            services.rows.remove_name(_reference(finding.thing))
    services.garbage.collect()
    services.catalog.refresh_index()


def _reference(familiar: str) -> Reference:
    return Reference.parse(familiar).with_default_tag()


def is_blob(finding: Finding) -> bool:
    """Say whether a finding is about a blob that images need."""
    return finding.kind in ("blob-damaged", "blob-missing") and is_digest(finding.thing)
