"""After a crash: what loads and pulls left behind is resumed later or removed now.

Called once, before requests are served and before anything else uses the store.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from naru.db.images import ImageRow
from naru.errors import NaruError, NotFoundError
from naru.images.checking.findings import LayerFacts
from naru.images.checking.inventory import layers_of_images, read_config, read_manifest
from naru.images.checking.mending import OWNER as MEND_OWNER
from naru.images.checking.mending import put_in_place, unpack_again
from naru.images.checking.verification import Verification, layer_verdict
from naru.images.layers.unpack import UNPACKING
from naru.images.load import KEEPING_OWNER
from naru.images.pull import OWNER as PULL_OWNER
from naru.images.services import ImageServices
from naru.oci.digest import ChainId, Digest
from naru.oci.image_config import chain_ids

_log = logging.getLogger(__name__)


def recover(services: ImageServices) -> None:
    """Repair the store and collect garbage. Idempotent; takes milliseconds when all is well.

    Of a pull, and of a load that was to keep it, what came is kept for a day, so that the next
    try goes on there. Of other loads and imports nothing is kept. Snapshots of containers are
    not touched.

    Raises:
        FaultError: the disk fails.
    """
    for line in (*services.content.repair(), *services.snapshots.repair()):
        _log.warning("%s", line)
    for lease_id, owner, _ in services.leases.leases():
        if owner not in (PULL_OWNER, KEEPING_OWNER):
            services.leases.release(lease_id)
    for info in list(services.snapshots.walk()):
        if info.kind == "active" and info.key.startswith(UNPACKING):
            services.snapshots.remove(info.key)
            _log.warning("removed the unfinished layer %s", info.key)
    lost = _lost_blobs(services)
    _drop_images_without_content(services, lost)
    mend_unsettled(services)
    services.unsettled.forget(services.unsettled.noted(before_boot=True))
    collected = services.garbage.collect()
    if collected.blobs or collected.snapshots or collected.ingests:
        _log.info(
            "collected %d blobs, %d layers and %d unfinished writes",
            len(collected.blobs),
            len(collected.snapshots),
            len(collected.ingests),
        )
    services.catalog.refresh_index()


def _lost_blobs(services: ImageServices) -> set[Digest]:
    """Delete what a power cut has left of blobs that were not written to the disk; return them.

    Reads all that a load had brought seconds before. Idempotent, until the notes are forgotten.
    """
    reader = Verification(services, contents=False)
    lost: set[Digest] = set()
    for digest in services.unsettled.noted(before_boot=True):
        if what := reader.blob(digest):
            _log.warning("blob %s was not on the disk: %s", digest, what)
            services.content.delete(digest)
            lost.add(digest)
    return lost


def _drop_images_without_content(services: ImageServices, lost: AbstractSet[Digest]) -> None:
    """Forget images that nothing can be made of: without a config, or loaded and `lost`.

    Their layers, of which nobody can tell any more whether they are whole, go in the same step:
    a container on them fails to start then, and reads nothing that may be anything.
    """
    doubtful = {info.key for info in services.snapshots.unsettled(before_boot=True)}
    dropped: dict[str, frozenset[str]] = {}
    kept: set[str] = set()
    for row in services.rows.all():
        chain = frozenset(_chain(services, row))
        if not _has_config(services, row):
            _log.error("image %s has lost its config; it is forgotten", row.image_id)
        elif _is_lost(services, row, lost, doubtful):
            _log.error("image %s was not on the disk yet; load it again", row.image_id)
        else:
            kept |= chain
            continue
        dropped[row.image_id] = chain
    with services.rows.write():
        for image_id, chain in dropped.items():
            for chain_id in (chain & doubtful) - kept:
                services.snapshots.forsake(ChainId(Digest(chain_id)))
            services.rows.delete(image_id)


def _has_config(services: ImageServices, row: ImageRow) -> bool:
    try:
        return services.content.stat(row.image_id) is not None
    except NaruError:
        return False


def _chain(services: ImageServices, row: ImageRow) -> Sequence[str]:
    try:
        return services.snapshots.chain(row.chain_id)
    except NotFoundError:
        return []


def _is_lost(
    services: ImageServices,
    row: ImageRow,
    lost: AbstractSet[Digest],
    doubtful: AbstractSet[str],
) -> bool:
    """Say whether a document is lost, or a layer: its blob, and the tree is in doubt as well."""
    if row.manifest_digest in lost:
        return True
    manifest = read_manifest(services, row) if lost else None
    config = read_config(services, row) if lost else None
    if manifest is None or config is None:
        return False
    chain = chain_ids(config.diff_ids)
    blobs = [layer.digest for layer in manifest.layers]
    return any(blob in lost and key in doubtful for key, blob in zip(chain, blobs, strict=False))


def mend_unsettled(services: ImageServices) -> None:
    """See to the layers whose files a power cut may have taken: compare, and unpack again.

    Lowest first. No container runs yet that has one of them mounted. Idempotent; costs nothing
    unless the machine went down within seconds of a commit.
    """
    unsettled = services.snapshots.unsettled(before_boot=True)
    if not unsettled:
        return
    layers = layers_of_images(services)
    found = [(layers.get(info.key), ChainId(Digest(info.key))) for info in unsettled]
    for facts, chain_id in sorted(found, key=lambda each: each[0].position if each[0] else 0):
        try:
            if facts is None:
                # Nothing is left to compare it with; if no container needs it, it goes now.
                _log.warning("layer %s may not be whole, and is of no image", chain_id)
            elif _is_whole(services, facts):
                services.snapshots.vouch(chain_id)
            else:
                _unpack_in_place(services, facts)
                _log.warning("layer %s was not on the disk; it is unpacked again", chain_id)
        except NaruError as error:
            _log.error("layer %s may not be whole: %s", chain_id, error)


def _is_whole(services: ImageServices, facts: LayerFacts) -> bool:
    verdict = layer_verdict(services, facts, contents=True)
    return not verdict.blob and verdict.tree is not None and not verdict.tree


def _unpack_in_place(services: ImageServices, facts: LayerFacts) -> None:
    with services.lease(MEND_OWNER) as lease_id:
        unpacking = unpack_again(services, facts, lease_id)
        try:
            put_in_place(services, facts, unpacking, is_mounted=False)
        finally:
            unpacking.drop()
