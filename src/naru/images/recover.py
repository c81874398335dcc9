"""After a crash: what loads and pulls left behind is resumed later or removed now.

Called once, before requests are served and before anything else uses the store.
"""

from __future__ import annotations

import logging

from naru.errors import NaruError
from naru.images.checking.findings import LayerFacts
from naru.images.checking.inventory import layers_of_images
from naru.images.checking.mending import OWNER as MEND_OWNER
from naru.images.checking.mending import put_in_place, unpack_again
from naru.images.checking.verification import layer_verdict
from naru.images.layers.unpack import UNPACKING
from naru.images.load import KEEPING_OWNER
from naru.images.pull import OWNER as PULL_OWNER
from naru.images.services import ImageServices
from naru.oci.digest import ChainId, Digest

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
    _drop_images_without_content(services)
    mend_unsettled(services)
    collected = services.garbage.collect()
    if collected.blobs or collected.snapshots or collected.ingests:
        _log.info(
            "collected %d blobs, %d layers and %d unfinished writes",
            len(collected.blobs),
            len(collected.snapshots),
            len(collected.ingests),
        )
    services.catalog.refresh_index()


def _drop_images_without_content(services: ImageServices) -> None:
    """Forget images whose config is gone, as after a power cut: nothing can be made of them."""
    for row in services.rows.all():
        try:
            missing = services.content.stat(row.image_id) is None
        except NaruError:
            missing = True
        if missing:
            _log.error("image %s has lost its config; it is forgotten", row.image_id)
            services.rows.delete(row.image_id)


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
