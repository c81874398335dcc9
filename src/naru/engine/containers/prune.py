"""`container prune`: everything that does not run goes."""

from __future__ import annotations

import logging

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.engine.containers.remove import remove_container
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.engine.pruning import FILTERS, has_pruned_labels, until_ns
from naru.errors import ConflictError, NaruError, NotFoundError

_log = logging.getLogger(__name__)


async def prune_containers(ctx: EngineContext, filters: Filters) -> Json:
    """Remove the containers that do not run; their volumes stay.

    One that starts meanwhile stays, and so does one that cannot be removed.

    Raises:
        InvalidInputError: a filter is unknown, or has a value that it cannot have.
        ConflictError: something is being pruned already.
    """
    filters.refuse_unknown(FILTERS)
    until = until_ns(filters, ctx.clock.now_ns())
    deleted: list[str] = []
    reclaimed = 0
    with ctx.pruning.turn():
        for container in ctx.registry:
            if container.is_running or container.state.status == "restarting":
                continue
            if until is not None and container.record.created_ns > until:
                continue
            if not has_pruned_labels(filters, container.config.labels or {}):
                continue
            try:
                size = await in_thread(ctx.images.snapshots.usage, container.layer)
                await remove_container(ctx, container.id, force=False, volumes=False)
            except (ConflictError, NotFoundError):
                continue  # It runs by now, or somebody else has removed it.
            except NaruError:
                _log.exception("container %s was not pruned", container.short_id)
                continue
            deleted.append(container.id)
            reclaimed += size
        ctx.events.publish("container", "prune", "", {"reclaimed": str(reclaimed)})
    return {"ContainersDeleted": deleted or None, "SpaceReclaimed": reclaimed}
