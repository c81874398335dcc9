"""`rm`: a container and all that is its own go away."""

from __future__ import annotations

from naru.aio import in_thread, uncancelled
from naru.engine.containers.files import delete_files
from naru.engine.containers.stop import kill_and_wait
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.views import container_attributes
from naru.errors import ConflictError, InvalidInputError, NotFoundError
from naru.faults import fault_point

_AFTER_MARK = fault_point("engine.remove.after_mark")
_BEFORE_ROW = fault_point("engine.remove.before_row")


async def remove_container(
    ctx: EngineContext, name: str, *, force: bool, volumes: bool, link: bool = False
) -> None:
    """Remove a container; `force` kills it first, `volumes` takes its anonymous volumes along.

    Raises:
        NotFoundError: no such container.
        ConflictError: it runs, and `force` is not given.
        InvalidInputError: `link` is given: there are no links to remove.
    """
    container = ctx.registry.find(name)
    if link:
        raise InvalidInputError(
            f"Conflict, cannot remove the default link name of the container {name}"
        )
    if container.state.status in ("running", "paused", "restarting"):
        if not force:
            raise ConflictError(_still_there(container))
        await kill_and_wait(ctx, container)
    async with ctx.locks.hold(container.id):
        if ctx.registry.get(container.id) is None:
            if force:
                return
            raise NotFoundError(f"No such container: {name}")
        if container.is_running:
            raise ConflictError(_still_there(container))
        await uncancelled(remove_stopped(ctx, container, volumes=volumes))


def _still_there(container: Container) -> str:
    status = container.state.status
    what = {
        "paused": "container is paused and must be unpaused first",
        "restarting": "container is restarting: stop the container before removing or force remove",
    }.get(status, "container is running: stop the container before removing or force remove")
    return f'cannot remove container "/{container.name}": {what}'


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
