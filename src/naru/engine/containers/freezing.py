"""Holding a container still while its files are read, so that they fit each other.

The state remembers on whose account it is paused: an engine that is killed meanwhile lets the
container go on at its next start.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncIterator

from naru.aio import uncancelled
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes
from naru.errors import ConflictError, NaruError, NotFoundError
from naru.faults import fault_point

_log = logging.getLogger(__name__)
_BEFORE_FREEZE = fault_point("engine.freezing.before_freeze")
_AFTER_FREEZE = fault_point("engine.freezing.after_freeze")


@contextlib.asynccontextmanager
async def frozen(ctx: EngineContext, container: Container) -> AsyncIterator[None]:
    """Pause a container for the block, if it runs; one that is paused already stays so.

    Blocks for one container take turns: the end of one must not wake it for another.

    Raises:
        NaruError: the runtime refused to pause it.
    """
    async with ctx.locks.hold(f"frozen {container.id}"):
        try:
            await _freeze(ctx, container)
            yield
        finally:
            await uncancelled(thaw(ctx, container))


async def _freeze(ctx: EngineContext, container: Container) -> None:
    async with ctx.locks.hold(container.id):
        if container.state.status != "running":
            return
        container.state.status, container.state.is_frozen = "paused", True
        ctx.registry.save_state(container)
        ctx.health.unwatch(container.id)
        _BEFORE_FREEZE()
        try:
            await ctx.runtimes[container.host_config.runtime].pause(container.id)
        except (ConflictError, NotFoundError):
            # It has ended on its own, and its end is on its way: nobody writes any more.
            _set_running(ctx, container)
            return
        _AFTER_FREEZE()
    ctx.events.publish("container", "pause", container.id, container_attributes(container))


async def thaw(ctx: EngineContext, container: Container) -> None:
    """Let a container go on that was frozen here, unless its user has had a say since.

    Idempotent. A failure is logged: what was read of the container is none the worse for it.
    """
    async with ctx.locks.hold(container.id):
        if container.state.status != "paused" or not container.state.is_frozen:
            return
        try:
            # It may not be paused after all, or have ended; its end is on its way then.
            with contextlib.suppress(ConflictError, NotFoundError):
                await ctx.runtimes[container.host_config.runtime].resume(container.id)
        except NaruError:
            _log.exception("container %s cannot be unpaused", container.short_id)
            return
        _set_running(ctx, container)
    ctx.events.publish("container", "unpause", container.id, container_attributes(container))


def _set_running(ctx: EngineContext, container: Container) -> None:
    container.state.status, container.state.is_frozen = "running", False
    ctx.registry.save_state(container)
    ctx.health.watch(container.id)
