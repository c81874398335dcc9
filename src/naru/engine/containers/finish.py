"""What follows when a container's process has ended: tidy up, tell, restart or remove."""

from __future__ import annotations

import logging

from naru.engine.container_log import end_log
from naru.engine.containers.removal import remove_stopped
from naru.engine.containers.restart_policy import next_delay, restarts_after_exit
from naru.engine.containers.start import launch
from naru.engine.containers.tidying import release_resources
from naru.engine.context import EngineContext
from naru.engine.health_rule import at_rest
from naru.engine.model import Container, ContainerState
from naru.engine.views.containers import container_attributes
from naru.engine.views.networks import tell_networks
from naru.errors import NaruError
from naru.faults import fault_point
from naru.runtime.exits import ContainerExit

_log = logging.getLogger(__name__)
_AFTER_STATE = fault_point("engine.finish.after_state")


async def container_exited(ctx: EngineContext, container: Container, end: ContainerExit) -> None:
    """Record the end of a container's process and do what its policies say.

    Idempotent: an exit that is known already changes nothing.
    """
    async with ctx.locks.hold(container.id):
        if not container.is_running:
            ctx.exits.forget(container.id)
            return
        # A probe of what has ended would be one more failure.
        ctx.health.unwatch(container.id)
        await _finish_log(ctx, container)
        state = container.state
        ran_for = max(end.finished_ns - state.started_ns, 0) / 10**9
        restarts = restarts_after_exit(
            container.host_config.restart_policy,
            exit_code=end.exit_code,
            restart_count=state.restart_count,
            stopped_by_user=state.stopped_by_user,
        )
        ended = ContainerState(
            status="restarting" if restarts else "exited",
            exit_code=end.exit_code,
            oom_killed=end.oom_killed or state.oom_killed,
            started_ns=state.started_ns,
            finished_ns=end.finished_ns,
            restart_count=state.restart_count,
            restart_delay=next_delay(state.restart_delay, ran_for=ran_for) if restarts else 0,
            stopped_by_user=state.stopped_by_user,
            comes_back=state.comes_back,
            health=at_rest(state.health),
        )
        ctx.ooms.unwatch(container.id)
        ctx.registry.replace_state(container, ended)
        container.needs_tidying = True
        if end.oom_killed and not state.oom_killed:
            ctx.events.publish("container", "oom", container.id, container_attributes(container))
        _tell(ctx, container, ran_for)
        comes_back = restarts or ended.comes_back
        ctx.waiters.exited(container.id, end.exit_code, comes_back=comes_back)
        _AFTER_STATE()
        await release_resources(ctx, container)
        if restarts:
            restart_later(ctx, container)
        elif container.host_config.auto_remove and not comes_back:
            await remove_stopped(ctx, container, volumes=True)


async def _finish_log(ctx: EngineContext, container: Container) -> None:
    """Complete the log first: who hears of the end may read it at once."""
    try:
        await end_log(ctx, container)
    except (NaruError, OSError) as error:
        _log.warning("log of container %s is not complete: %s", container.short_id, error)


def _tell(ctx: EngineContext, container: Container, ran_for: float) -> None:
    ctx.events.publish(
        "container",
        "die",
        container.id,
        container_attributes(
            container, exitCode=str(container.state.exit_code), execDuration=str(int(ran_for))
        ),
    )
    tell_networks(ctx, container, "disconnect")


def restart_later(ctx: EngineContext, container: Container) -> None:
    """Start a container again when its back-off is over, unless it was stopped meanwhile."""
    ctx.tasks.start(_restart(ctx, container), name=f"restart {container.short_id}")


async def _restart(ctx: EngineContext, container: Container) -> None:
    await ctx.clock.sleep(container.state.restart_delay)
    async with ctx.locks.hold(container.id):
        if container.state.status != "restarting":
            return
        try:
            await launch(ctx, container, restart_count=container.state.restart_count + 1)
        except NaruError as error:
            _log.warning("container %s did not restart: %s", container.short_id, error.message)
