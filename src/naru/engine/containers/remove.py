"""`rm`: a container and all that is its own go away."""

from __future__ import annotations

from naru.aio import uncancelled
from naru.engine.containers.links import remove_link
from naru.engine.containers.removal import remove_stopped
from naru.engine.containers.stop import kill_and_wait
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.errors import ConflictError, NotFoundError


async def remove_container(
    ctx: EngineContext, name: str, *, force: bool, volumes: bool, link: bool = False
) -> None:
    """Remove a container; `force` kills it first, `volumes` takes its anonymous volumes along.

    With `link` the name is a link's, and the link is all that goes.

    Raises:
        NotFoundError: no such container.
        ConflictError: it runs, and `force` is not given.
        FaultError: `link` is given, and the name is no link's.
    """
    if link:
        await remove_link(ctx, name)
        return
    container = ctx.registry.find(name)
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
