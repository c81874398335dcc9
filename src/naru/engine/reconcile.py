"""After a start of the engine: what the rows say against what the kernel has, and the repair.

`plan` decides and is pure; `reconcile` looks, and carries the decisions out; `resume` goes on from
there. Nothing here stops a container that runs as its row says.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from enum import Enum

from naru.aio import in_thread
from naru.engine.containers.files import delete_files
from naru.engine.containers.finish import container_exited, restart_later
from naru.engine.containers.freezing import thaw
from naru.engine.containers.image_mounts import owner_of
from naru.engine.containers.recreation import finish_recreation, snapshots_in_use
from naru.engine.containers.removal import remove_stopped
from naru.engine.containers.replace import take_over
from naru.engine.containers.republish import finish_republish
from naru.engine.containers.restart_policy import restarts_with_engine
from naru.engine.containers.start import launch, look_after
from naru.engine.containers.tidying import release_resources
from naru.engine.containers.update import finish_update
from naru.engine.context import EngineContext
from naru.engine.health_rule import at_start, check_of
from naru.engine.model import Container, ContainerState, Status
from naru.engine.network_membership import agree_with_record
from naru.errors import NaruError
from naru.runtime import bundle as bundles
from naru.runtime import user_namespaces
from naru.runtime.bundle import Processes
from naru.runtime.exits import UNKNOWN_EXIT_CODE, ContainerExit

_log = logging.getLogger(__name__)
# How long a monitor on a busy machine may take from the end of a process to its exit file.
_LAST_WORDS_S = 10.0
_LOOK_AGAIN_S = 0.02


class Action(Enum):
    """What to do with one container."""

    KEEP = "keep"  # it runs, as its row says
    ADOPT = "adopt"  # it runs, and the engine died before it could say so
    FINISH = "finish"  # it ended while no engine looked
    REMOVE = "remove"  # it was on its way out, or never quite made
    TIDY = "tidy"  # it does not run; whatever is left of a start goes away
    RESTART = "restart"  # it waits for its next restart


@dataclass(frozen=True, slots=True)
class Seen:
    """What the kernel and the monitor's files say of one container."""

    process_runs: bool = False
    was_started: bool = False
    end: ContainerExit | None = None


def plan(status: Status, seen: Seen) -> Action:
    """Decide what to do with a container that its row calls `status`."""
    match status:
        case "removing" | "dead":
            return Action.REMOVE
        case "running" | "paused":
            return Action.KEEP if seen.process_runs and seen.end is None else Action.FINISH
    if seen.process_runs and seen.was_started:
        return Action.ADOPT
    return Action.RESTART if status == "restarting" else Action.TIDY


Decisions = list[tuple[Container, Action]]


async def reconcile(ctx: EngineContext) -> Decisions:
    """Make the rows agree with what is there, and return what was decided: `resume` goes on.

    Nobody else may change a container meanwhile, not even at the news of an exit: what was
    decided about it would then be done to its next run. A container that cannot be repaired is
    logged and does not keep the others from it.
    """
    decisions = []
    for container in ctx.registry:
        seen = await _look(ctx, container)
        decisions.append((container, seen, plan(container.state.status, seen)))
    live = {c.id for c, _, action in decisions if action in (Action.KEEP, Action.ADOPT)}
    await in_thread(ctx.networks.restore, live)
    # Before anything else: containers that run have been without names since the last engine.
    await in_thread(ctx.resolver.names_changed, live)
    for container, seen, action in decisions:
        try:
            await _apply(ctx, container, seen, action)
        except NaruError:
            _log.exception("container %s was not repaired", container.short_id)
    return [(container, action) for container, _, action in decisions]


async def resume(ctx: EngineContext, decisions: Decisions) -> None:
    """Finish what was cut short, sweep up, and start what its policy says.

    Needs the news of exits. Runs before the first request is served.
    """
    for container in ctx.registry:
        await _finish_recreation(ctx, container)
    await in_thread(_sweep, ctx)
    for container in ctx.registry:
        if container.state.takes_name:
            await _finish_take_over(ctx, container)
    for container, action in decisions:
        if action in (Action.FINISH, Action.TIDY):
            _start_by_policy(ctx, container)


async def _look(ctx: EngineContext, container: Container) -> Seen:
    processes = bundles.existing(ctx.config.exec_root, container.id).processes()
    if processes is None or not processes.is_alive:
        if processes is not None:
            await _hear_out(ctx, container, processes)
        return Seen(end=ctx.exits.take(container.id))
    state = await ctx.runtimes[container.host_config.runtime].state(container.id)
    started = state is not None and state.status in ("running", "paused")
    return Seen(process_runs=True, was_started=started, end=ctx.exits.take(container.id))


async def _hear_out(ctx: EngineContext, container: Container, processes: Processes) -> None:
    """Wait for what a monitor has still to say of a process that ended a moment ago.

    Said later, it would be taken for the end of the next run.
    """
    for _ in range(round(_LAST_WORDS_S / _LOOK_AGAIN_S)):
        if not processes.is_monitored or ctx.exits.take(container.id) is not None:
            return
        await asyncio.sleep(_LOOK_AGAIN_S)
    _log.warning("the monitor of container %s does not say how it ended", container.short_id)


async def _apply(ctx: EngineContext, container: Container, seen: Seen, action: Action) -> None:
    match action:
        case Action.KEEP:
            await thaw(ctx, container)
            await agree_with_record(ctx, container)
            await finish_republish(ctx, container)
            await look_after(ctx, container)
            await finish_update(ctx, container)
        case Action.ADOPT:
            await agree_with_record(ctx, container)
            await _adopt(ctx, container)
        case Action.FINISH:
            await container_exited(ctx, container, seen.end or _lost(ctx, container))
        case Action.REMOVE:
            await release_resources(ctx, container)
            await remove_stopped(ctx, container, volumes=container.state.removes_volumes)
        case Action.RESTART:
            await release_resources(ctx, container)
            restart_later(ctx, container)
        case Action.TIDY:
            await release_resources(ctx, container)
            ended = container.state.started_ns and not container.state.comes_back
            if container.host_config.auto_remove and ended:
                await remove_stopped(ctx, container, volumes=True)


async def _finish_recreation(ctx: EngineContext, container: Container) -> None:
    try:
        await finish_recreation(ctx, container)
    except NaruError:
        _log.exception("container %s is not wholly recreated", container.short_id)


async def _finish_take_over(ctx: EngineContext, container: Container) -> None:
    try:
        await take_over(ctx, container)
    except NaruError:
        _log.exception("container %s did not get its name", container.short_id)


async def _adopt(ctx: EngineContext, container: Container) -> None:
    bundle = bundles.existing(ctx.config.exec_root, container.id)
    processes = bundle.processes()
    if processes is None:
        return
    sandbox = ctx.networks.sandbox(container.id)
    state = ContainerState(
        status="running",
        pid=processes.pid,
        monitor_pid=processes.conmon_pid,
        started_ns=ctx.clock.now_ns(),
        finished_ns=container.state.finished_ns,
        restart_count=container.state.restart_count,
        netns_path=str(sandbox.netns_path) if sandbox else "",
        health=at_start(check_of(container.config), container.state.health),
    )
    ctx.registry.replace_state(container, state)
    await look_after(ctx, container)


def _lost(ctx: EngineContext, container: Container) -> ContainerExit:
    return ContainerExit(container.id, UNKNOWN_EXIT_CODE, ctx.clock.now_ns())


def _sweep(ctx: EngineContext) -> None:
    """Delete what belongs to no row: bundles, folders and snapshots of containers long gone."""
    known = {container.id for container in ctx.registry}
    folders = ctx.config.data_root / "containers"
    orphans = set(bundles.walk(ctx.config.exec_root))
    for container_id in set(user_namespaces.walk(ctx.config.exec_root)) - known:
        user_namespaces.remove(ctx.config.exec_root, container_id)
    orphans |= {entry.name for entry in folders.iterdir()} if folders.exists() else set()
    used = {key for container in ctx.registry for key in snapshots_in_use(container)}
    for info in list(ctx.images.snapshots.walk()):
        if info.kind == "committed" or info.key in used:
            continue
        if owner_of(info.key) in known:
            ctx.images.snapshots.remove(info.key)
        orphans.add(owner_of(info.key))
    for container_id in orphans - known:
        _log.info("removing what is left of container %s", container_id)
        delete_files(ctx, container_id)


def _start_by_policy(ctx: EngineContext, container: Container) -> None:
    """Start what its policy brings back with the engine; what waits to restart does so already."""
    state = container.state
    if ctx.registry.get(container.id) is None or state.status == "restarting":
        return
    if state.comes_back or restarts_with_engine(
        container.host_config.restart_policy,
        exit_code=state.exit_code,
        restart_count=state.restart_count,
        stopped_by_user=state.stopped_by_user,
        was_started=state.started_ns > 0,
    ):
        ctx.tasks.start(_start(ctx, container), name=f"start {container.short_id}")


async def _start(ctx: EngineContext, container: Container) -> None:
    async with ctx.locks.hold(container.id):
        if container.is_running:
            return
        try:
            await launch(ctx, container, restart_count=0)
        except NaruError as error:
            _log.warning("container %s did not start: %s", container.short_id, error.message)
