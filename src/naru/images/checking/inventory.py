"""What is on disk and in the database, gathered for `images.checking.findings`. For worker threads.

Others pull, build and remove meanwhile. What they have half done is under their leases, and what
comes or goes between two questions is found out by asking again: see `confirmed`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from naru.db.images import ImageRow, NameRow
from naru.errors import NaruError
from naru.images.checking.findings import (
    Finding,
    Holder,
    ImageFacts,
    Inventory,
    LayerFacts,
    find,
    layers_of,
)
from naru.images.services import ImageServices
from naru.oci.digest import Digest
from naru.oci.image_config import MAX_CONFIG_SIZE, ImageConfig, parse_image_config
from naru.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest

Holders = Callable[[], Sequence[Holder]]
_PAUSES_S = (0.1, 0.3, 0.6)


def gather(services: ImageServices, holders: Holders) -> Inventory:
    """Return what is there now. Takes milliseconds for each thousand of blobs.

    Raises:
        FaultError: the disk fails.
    """
    # What is there, before who needs it: whatever comes in between has its lease by then.
    blobs = dict(services.content.walk())
    ingests = {key for key, _ in services.content.ingests()}
    snapshots = {info.key: info for info in services.snapshots.walk()}
    survey = services.snapshots.survey()
    leased_ingests = services.leases.items("ingest")
    now = services.clock.now_ns()
    expired = [lease for lease, _, expires in services.leases.leases() if expires <= now]
    reachable = services.garbage.reachable()
    # What is needed, before whether it is there: what was not seen above is looked for again.
    images, dangling = _images(services)
    used = holders()
    for image in images:
        for digest in (image.row.image_id, image.row.manifest_digest):
            size = services.content.stat(digest)
            if size is not None:
                blobs[digest] = size
        for layer in image.manifest.layers if image.manifest else ():
            size = services.content.stat(layer.digest)
            if size is not None:
                blobs[layer.digest] = size
    snapshots |= {info.key: info for info in services.snapshots.walk()}
    return Inventory(
        images=images,
        dangling_names=dangling,
        blobs=blobs,
        snapshots=snapshots,
        survey=survey,
        reachable=reachable,
        ingests=ingests,
        leased_ingests=leased_ingests,
        expired_leases=expired,
        holders=used,
        index_is_current=services.index.is_current(),
        layers=layers_of(images),
    )


def confirmed(
    services: ImageServices, holders: Holders, *, pause: Callable[[float], None]
) -> tuple[Inventory, list[Finding]]:
    """Return what is there, and what does not fit however often one asks.

    What somebody removes is unneeded for a moment, and what is removed and comes back time and
    again may be so whenever one looks; so it has to be the very same each time. `pause` waits for
    so many seconds.
    """
    inventory = gather(services, holders)
    found = {finding.key: finding for finding in find(inventory)}
    marks = {key: _mark(services, finding) for key, finding in found.items()}
    for seconds in _PAUSES_S:
        if not found:
            break
        pause(seconds)
        inventory = gather(services, holders)
        found = {
            finding.key: finding
            for finding in find(inventory)
            if marks.get(finding.key, "") == _mark(services, finding)
        }
    return inventory, list(found.values())


def _mark(services: ImageServices, finding: Finding) -> object:
    """Return what tells a thing from one of the same name before or after it."""
    if finding.kind == "blob-unneeded":
        return services.content.mark(Digest(finding.thing))
    if finding.kind == "layer-unneeded":
        info = services.snapshots.stat(finding.thing)
        return info.number if info else None
    return None


def layers_of_images(services: ImageServices) -> dict[str, LayerFacts]:
    """Return the layers of all images, by chain id."""
    return layers_of(_images(services)[0])


def _images(services: ImageServices) -> tuple[list[ImageFacts], list[NameRow]]:
    rows = {row.image_id: row for row in services.rows.all()}
    names: dict[str, list[NameRow]] = {}
    for name in services.rows.names():
        names.setdefault(name.image_id, []).append(name)
    images = [
        ImageFacts(
            row,
            tuple(names.pop(row.image_id, ())),
            read_manifest(services, row),
            read_config(services, row),
        )
        for row in rows.values()
    ]
    # A name that came after the rows were read belongs to an image by now.
    dangling = [
        name
        for left in names.values()
        for name in left
        if services.rows.get(name.image_id) is None and services.rows.find_name(name.reference)
    ]
    return images, dangling


def read_manifest(services: ImageServices, row: ImageRow) -> Manifest | None:
    """Return an image's manifest, if it is there and whole."""
    try:
        raw = services.content.read(row.manifest_digest, MAX_MANIFEST_SIZE)
        found = parse_manifest(raw)
    except NaruError:
        return None
    return found if isinstance(found, Manifest) else None


def read_config(services: ImageServices, row: ImageRow) -> ImageConfig | None:
    """Return an image's config, if it is there and whole."""
    try:
        return parse_image_config(services.content.read(row.image_id, MAX_CONFIG_SIZE))
    except NaruError:
        return None
