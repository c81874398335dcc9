"""The engine's life: bring everything up, listen for exits, go without stopping a container."""

from __future__ import annotations

import contextlib
import logging

from naru.aio import in_thread
from naru.engine.attachments import log_path
from naru.engine.containers.finish import container_exited
from naru.engine.context import EngineContext
from naru.engine.exec import exec_ended
from naru.engine.reconcile import reconcile
from naru.errors import NaruError
from naru.images.recover import recover
from naru.runtime import bundle as bundles
from naru.runtime import log_file
from naru.runtime.exits import ContainerExit
from naru.units import parse_bytes

_log = logging.getLogger(__name__)
_LOG_CHECK_SECONDS = 1.0


async def start_engine(ctx: EngineContext) -> None:
    """Recover what an earlier engine left, and begin to look after containers.

    Returns when requests may be served. Running containers are not disturbed.
    """
    await in_thread(recover, ctx.images)
    await in_thread(ctx.volumes.repair)
    await in_thread(ctx.networks.start)
    ctx.exits.start(lambda name, end: _ended(ctx, name, end))
    await reconcile(ctx)
    ctx.tasks.start(_rotate_logs(ctx), name="rotate logs")


async def stop_engine(ctx: EngineContext) -> None:
    """Let go of everything. Containers go on; the next engine finds them."""
    ctx.exits.close()
    await ctx.tasks.close()
    await in_thread(ctx.networks.close)


def _ended(ctx: EngineContext, name: str, end: ContainerExit) -> None:
    """Hear of the end of a process: a container's, or an exec session's."""
    container = ctx.registry.get(name)
    if container is not None:
        ctx.tasks.start(container_exited(ctx, container, end), name=f"exit {name[:12]}")
        return
    session = ctx.execs.get(name)
    if session is not None:
        exec_ended(ctx, session, end)
    ctx.tasks.start(_forget_exec(ctx, name), name=f"exec exit {name[:12]}")


async def _forget_exec(ctx: EngineContext, exec_id: str) -> None:
    await in_thread(bundles.remove_exec, ctx.config.exec_root, exec_id)
    ctx.exits.forget(exec_id)


async def _rotate_logs(ctx: EngineContext) -> None:
    while True:
        await ctx.clock.sleep(_LOG_CHECK_SECONDS)
        for container in ctx.registry:
            config = container.host_config.log_config
            if not container.is_running or config.type == "none":
                continue
            options = config.config or {}
            with contextlib.suppress(NaruError):
                await in_thread(
                    log_file.rotate,
                    bundles.find(ctx.config.exec_root, container.id),
                    log_path(ctx.config.container_dir(container.id)),
                    max_size=parse_bytes(options.get("max-size", "10m")),
                    max_files=int(options.get("max-file", "3")),
                )
