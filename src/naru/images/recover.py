"""After a crash: what loads and pulls left behind is resumed later or removed now.

Called once, before requests are served and before anything else uses the store.
"""

from __future__ import annotations

import logging

from naru.errors import NaruError
from naru.images.load import KEEPING_OWNER
from naru.images.pull import OWNER as PULL_OWNER
from naru.images.services import ImageServices
from naru.images.unpack import UNPACKING

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
