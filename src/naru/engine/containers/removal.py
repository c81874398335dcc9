"""How a container that does not run goes away with all that is its own."""

from __future__ import annotations

from naru.aio import in_thread
from naru.engine.containers.files import delete_files
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.views import container_attributes
from naru.faults import fault_point

_AFTER_MARK = fault_point("engine.remove.after_mark")
_BEFORE_ROW = fault_point("engine.remove.before_row")


async def remove_stopped(ctx: EngineContext, container: Container, *, volumes: bool) -> None:
    """Remove a container that does not run. The caller holds its lock. Idempotent.

    The intent is written first; an engine that is killed on the way finishes at its next start.
    """
    container.state.status = "removing"
    ctx.registry.save_state(container)
    _AFTER_MARK()
    for stream in ctx.attachments.take(container.id):
        await stream.close()
    await in_thread(delete_files, ctx, container.id)
    _BEFORE_ROW()
    exit_code = container.state.exit_code
    ctx.registry.remove(container)
    if volumes:
        await in_thread(_remove_anonymous_volumes, ctx, container)
    ctx.execs.forget_container(container.id)
    ctx.events.publish("container", "destroy", container.id, container_attributes(container))
    ctx.waiters.removed(container.id, exit_code)


def _remove_anonymous_volumes(ctx: EngineContext, container: Container) -> None:
    for mount in container.record.mounts:
        if mount.type != "volume" or is_volume_used(ctx, mount.name):
            continue
        volume = ctx.volumes.get(mount.name)
        if volume is not None and volume.is_anonymous:
            ctx.volumes.remove(mount.name, force=True)


def is_volume_used(ctx: EngineContext, name: str) -> bool:
    """Say whether any container mounts the volume."""
    return any(
        mount.type == "volume" and mount.name == name
        for container in ctx.registry
        for mount in container.record.mounts
    )
