"""What follows when a container has run out of memory and goes on."""

from __future__ import annotations

from naru.engine.containers.spec_request import cgroup_path
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes


def watch_memory(ctx: EngineContext, container: Container) -> None:
    """Hear of it from now on; what happened unseen is told, what was told is not told again."""
    has_killed = ctx.ooms.watch(container.id, cgroup_path(ctx, container))
    if has_killed and not container.state.oom_killed:
        ran_out_of_memory(ctx, container.id)


def ran_out_of_memory(ctx: EngineContext, container_id: str) -> None:
    """Keep in the state that a process was killed for want of memory, and tell it."""
    container = ctx.registry.get(container_id)
    if container is None or not container.is_running:
        return
    container.state.oom_killed = True
    ctx.registry.save_state(container)
    ctx.events.publish("container", "oom", container.id, container_attributes(container))
