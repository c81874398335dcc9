"""How a container that does not run goes away with all that is its own."""

from __future__ import annotations

import logging

from naru.aio import in_thread
from naru.engine.containers.files import delete_files
from naru.engine.containers.tidying import tidy
from naru.engine.containers.volume_mounts import remove_anonymous_volumes
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes
from naru.errors import FaultError, NaruError
from naru.faults import fault_point

_log = logging.getLogger(__name__)
_AFTER_MARK = fault_point("engine.remove.after_mark")
_BEFORE_ROW = fault_point("engine.remove.before_row")


async def remove_stopped(ctx: EngineContext, container: Container, *, volumes: bool) -> None:
    """Remove a container that does not run. The caller holds its lock. Idempotent.

    The intent is written first; an engine that is killed on the way finishes at its next start.

    Raises:
        FaultError: something cannot be removed. The container is dead then: it can be removed,
            by another try or an engine's next start, and nothing else.
    """
    container.state.status = "removing"
    container.state.removes_volumes = volumes
    ctx.registry.save_state(container)
    try:
        if container.is_to_stay:
            # After a power cut it would be there again, without its files.
            await in_thread(ctx.registry.sync)
        await _remove(ctx, container, volumes=volumes)
    except (NaruError, OSError) as error:
        reason = error.message if isinstance(error, NaruError) else str(error)
        container.state.status = "dead"
        container.state.error = reason
        ctx.registry.save_state(container)
        ctx.waiters.removal_failed(container.id, reason)
        raise FaultError(f'cannot remove container "/{container.name}": {reason}') from error


async def _remove(ctx: EngineContext, container: Container, *, volumes: bool) -> None:
    _AFTER_MARK()
    for stream in ctx.attachments.take(container.id):
        await stream.close()
    await ctx.open_files.settle(container.id)
    await tidy(ctx, container)
    await ctx.logs.forget(container.id)
    await in_thread(delete_files, ctx, container.id)
    if volumes:
        await in_thread(remove_anonymous_volumes, ctx, container)
    _BEFORE_ROW()
    exit_code = container.state.exit_code
    ctx.registry.remove(container)
    ctx.execs.forget_container(container.id)
    ctx.events.publish("container", "destroy", container.id, container_attributes(container))
    ctx.waiters.removed(container.id, exit_code)
    await _collect_layers(ctx, container)


async def _collect_layers(ctx: EngineContext, container: Container) -> None:
    """Free the layers of an image that was removed by force, and was kept up by the container."""
    if ctx.images.catalog.get(container.record.image_id) is not None:
        return
    try:
        await in_thread(ctx.images.garbage.collect)
    except NaruError:
        _log.exception("layers below container %s are not collected yet", container.short_id)
