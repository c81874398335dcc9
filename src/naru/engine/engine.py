"""The engine's life: bring everything up, listen for exits, go without stopping a container."""

from __future__ import annotations

import logging

from naru.aio import in_thread
from naru.engine.builds.steps import sweep_builds
from naru.engine.containers.finish import container_exited
from naru.engine.containers.oom import ran_out_of_memory
from naru.engine.context import EngineContext
from naru.engine.health import watch_health
from naru.engine.reconcile import reconcile, resume
from naru.engine.streams.exec import exec_ended
from naru.ids import short_id
from naru.images.recover import recover
from naru.runtime import exec_process
from naru.runtime.exits import ContainerExit

_log = logging.getLogger(__name__)


async def start_engine(ctx: EngineContext) -> None:
    """Recover what an earlier engine left, and begin to look after containers.

    Returns when requests may be served. Running containers are not disturbed.
    """
    await in_thread(recover, ctx.images)
    ctx.images.settling.start()
    ctx.row_sync.start()
    await in_thread(ctx.volumes.repair)
    await in_thread(ctx.networks.start)
    for warning in await in_thread(ctx.networks.hindrances):
        _log.warning("%s", warning)
    ctx.resolver.start()
    ends = _Ends(ctx)
    ctx.exits.start(ends.hear)
    ctx.ooms.start(lambda container_id: ran_out_of_memory(ctx, container_id))
    ctx.health.start(lambda container_id: watch_health(ctx, container_id))
    ctx.logs.start()
    decisions = await reconcile(ctx)
    ends.let_go()
    await resume(ctx, decisions)
    running = {container.id for container in ctx.registry if container.is_running}
    # Plugins may not answer, and nobody waits for that.
    ctx.tasks.start(in_thread(ctx.volumes.settle, running), name="settle volumes")
    await sweep_builds(ctx)
    await _restore_execs(ctx)


async def stop_engine(ctx: EngineContext) -> None:
    """Let go of everything. Containers go on; the next engine finds them."""
    await ctx.health.close()
    ctx.exits.close()
    ctx.ooms.close()
    await ctx.tasks.close()
    await ctx.logs.close()
    await in_thread(ctx.images.settling.close)
    await in_thread(ctx.row_sync.close)
    await in_thread(ctx.networks.close)
    await in_thread(ctx.resolver.close)


class _Ends:
    """The news of exits. That of containers waits until it is decided what had become of them."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx
        self._waiting: list[ContainerExit] | None = []

    def hear(self, end: ContainerExit) -> None:
        if self._waiting is not None and self._ctx.registry.get(end.id) is not None:
            self._waiting.append(end)
        else:
            _ended(self._ctx, end)

    def let_go(self) -> None:
        """Act on what was heard so far, but for what was dealt with since; wait no more."""
        waiting, self._waiting = self._waiting or [], None
        for end in waiting:
            known = self._ctx.exits.take(end.id)
            if known is not None and known.finished_ns == end.finished_ns:
                _ended(self._ctx, end)


def _ended(ctx: EngineContext, end: ContainerExit) -> None:
    """Hear of the end of a process: a container's, or an exec session's."""
    container = ctx.registry.get(end.id)
    if container is not None:
        ctx.tasks.start(container_exited(ctx, container, end), name=f"exit {short_id(end.id)}")
        return
    session = ctx.execs.get(end.id)
    if session is not None:
        exec_ended(ctx, session, end)
    ctx.tasks.start(_forget_exec(ctx, end.id), name=f"exec exit {short_id(end.id)}")


async def _restore_execs(ctx: EngineContext) -> None:
    """Follow the exec sessions of an earlier engine to their end, and clear those that are over."""
    for exec_id in exec_process.walk(ctx.config.exec_root):
        try:
            await in_thread(exec_process.kill_orphan, ctx.config.exec_root, exec_id)
            if not ctx.exits.watch_exec(exec_id):
                await _forget_exec(ctx, exec_id)
        except OSError:
            # Some files more do not keep an engine from serving; the next one tries again.
            _log.exception("exec session %s was not cleared", short_id(exec_id))


async def _forget_exec(ctx: EngineContext, exec_id: str) -> None:
    await in_thread(exec_process.remove, ctx.config.exec_root, exec_id)
    ctx.exits.forget(exec_id)
