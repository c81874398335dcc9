"""Taking over a name: a new container stands before the one that had the name goes.

Docker refuses a name that is taken; who deploys again and again has to remove first, and has
nothing when the new one cannot be made. The new container is made under a spare name, with the
intent in its state; an engine that is killed on the way finishes at its next start.
"""

from __future__ import annotations

from naru.aio import in_thread, uncancelled
from naru.engine.containers.remove import remove_container
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.faults import fault_point
from naru.ids import short_id

_BEFORE_REMOVAL = fault_point("engine.replace.before_removal")
_AFTER_RENAMING = fault_point("engine.replace.after_renaming")


def spare_name(name: str, container_id: str) -> str:
    """Return the name that a container has until it may have the other's."""
    return f"{name}-{short_id(container_id)}"


async def take_over(ctx: EngineContext, container: Container) -> None:
    """Remove who has the name that `container` is to take, running or not, and take it.

    The old one's volumes stay. Idempotent.

    Raises:
        NaruError: the old one cannot be removed. It keeps its name, and the new one goes.
    """
    name = container.state.takes_name
    async with ctx.locks.hold(f"name {name}"):
        with ctx.registry.reserved(name, container.id):
            try:
                await _remove_holder(ctx, name, container)
            except BaseException:
                if ctx.registry.holder(name) is not None:
                    removal = remove_container(ctx, container.id, force=True, volumes=True)
                    await uncancelled(removal)
                raise
            if container.name != name:
                ctx.registry.rename(container, name)
                await in_thread(ctx.networks.rename, container.id, name)
        _AFTER_RENAMING()
        container.state.takes_name = ""
        ctx.registry.save_state(container)


async def _remove_holder(ctx: EngineContext, name: str, successor: Container) -> None:
    holder = ctx.registry.holder(name)
    _BEFORE_REMOVAL()
    if holder is not None and holder.id != successor.id:
        await remove_container(ctx, holder.id, force=True, volumes=False)
