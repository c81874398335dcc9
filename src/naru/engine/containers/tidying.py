"""Giving back what a container's process needed, whatever may go wrong on the way.

A step that fails is logged and keeps neither the others nor the news of the exit from going on;
it is tried again before the next start, at the removal, and when an engine starts.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable

from naru.aio import in_thread
from naru.engine.container_log import end_log
from naru.engine.containers.spec_request import cgroup_path
from naru.engine.containers.volume_mounts import thread_for, unmount_volumes
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.errors import FaultError, NaruError
from naru.runtime import bundle as bundles
from naru.runtime import container_cgroup, user_namespaces

_log = logging.getLogger(__name__)


async def release_resources(ctx: EngineContext, container: Container) -> None:
    """Give back runtime state, cgroup, network and root mount, and bound the log. Idempotent.

    What could not be given back is logged, and `container.needs_tidying` says so.
    """
    container.needs_tidying = False
    runtime = ctx.runtimes[container.host_config.runtime]
    exec_root = ctx.config.exec_root
    # The runtime first: while its cgroup has processes, they hold the network and the mounts.
    await _attempt(container, runtime.delete(container.id, force=True))
    if container.host_config.cpu_realtime_runtime:
        # Made before the runtime knew of it.
        group = cgroup_path(ctx, container)
        await _attempt(container, in_thread(container_cgroup.remove, group))
    await _attempt(container, in_thread(ctx.networks.release, container.id))
    await _attempt(container, in_thread(bundles.remove, exec_root, container.id))
    if ctx.config.id_maps is not None:
        await _attempt(container, in_thread(user_namespaces.remove, exec_root, container.id))
    if any(mount.type == "volume" for mount in container.record.mounts):
        in_fitting_thread = thread_for(ctx, container)
        await _attempt(container, in_fitting_thread(unmount_volumes, ctx, container))
    ctx.exits.forget(container.id)
    await _attempt(container, end_log(ctx, container))


async def tidy(ctx: EngineContext, container: Container) -> None:
    """Finish what the last release could not. Does nothing as a rule.

    Raises:
        FaultError: it still cannot; the log says why.
    """
    if container.needs_tidying:
        await release_resources(ctx, container)
    if container.needs_tidying:
        raise FaultError(
            f"container {container.id}: what its last run used cannot be given back",
            hint="see the engine's log",
        )


async def _attempt(container: Container, step: Awaitable[object]) -> None:
    try:
        await step
    except (NaruError, OSError):
        _log.exception("container %s is not tidied up", container.short_id)
        container.needs_tidying = True
