"""`start`: network, root file system, runtime spec, monitor, process, in this order.

The steps before the process are repeated without harm, and whatever an engine that was killed
left of them is cleared at its next start; only then may the container be started again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from naru.aio import in_thread, uncancelled
from naru.engine.container_log import keep_log
from naru.engine.containers.links import follow_links
from naru.engine.containers.networking import join_networks
from naru.engine.containers.oom import watch_memory
from naru.engine.containers.removal import remove_stopped
from naru.engine.containers.spec_request import spec_request, write_etc_files
from naru.engine.containers.tidying import release_resources, tidy
from naru.engine.containers.user_namespace import id_maps, provide_user_namespace
from naru.engine.containers.volume_mounts import thread_for
from naru.engine.context import EngineContext
from naru.engine.health_rule import at_start, check_of
from naru.engine.live.attachments import AttachStreams, log_path
from naru.engine.model import Container, ContainerState
from naru.engine.views.containers import container_attributes
from naru.engine.views.networks import tell_networks
from naru.errors import ConflictError, NaruError, NotModifiedError, StartFailedError
from naru.faults import fault_point
from naru.network.model import Sandbox
from naru.runtime import bundle as bundles
from naru.runtime import conmon, container_cgroup
from naru.runtime.attach import AttachConnection
from naru.runtime.bundle import Bundle
from naru.specgen.generate import generate

_AFTER_NETWORK = fault_point("engine.start.after_network")
_AFTER_MONITOR = fault_point("engine.start.after_monitor")
_AFTER_PROCESS = fault_point("engine.start.after_process")


async def start_container(ctx: EngineContext, name: str) -> None:
    """Start a container that does not run.

    Raises:
        NotFoundError: no such container, network or container to join.
        NotModifiedError: it runs already.
        ConflictError: it is paused or being removed.
        StartFailedError: the runtime refused; the state keeps why, with exit code 126 to 128.
    """
    container = ctx.registry.find(name)
    async with ctx.locks.hold(container.id):
        match container.state.status:
            case "running" | "restarting":
                raise NotModifiedError(f"Container {container.id} is already running")
            case "paused":
                raise ConflictError("cannot start a paused container, try unpause instead")
            case "removing" | "dead":
                raise ConflictError("container is marked for removal and cannot be started")
        await launch(ctx, container, restart_count=0)


async def launch(ctx: EngineContext, container: Container, *, restart_count: int) -> None:
    """Bring up the process. The caller holds the container's lock.

    After a failure nothing of the attempt is left, and the state says what went wrong.
    """
    streams = ctx.attachments.take(container.id)
    try:
        await ctx.open_files.settle(container.id)
        await tidy(ctx, container)
        started = await uncancelled(_bring_up(ctx, container, streams))
    except BaseException as error:
        await uncancelled(_give_up(ctx, container, streams, error))
        raise
    state = ContainerState(
        status="running",
        pid=started.pid,
        monitor_pid=started.monitor_pid,
        started_ns=ctx.clock.now_ns(),
        finished_ns=container.state.finished_ns,
        restart_count=restart_count,
        restart_delay=container.state.restart_delay if restart_count else 0,
        netns_path=started.netns_path,
        health=at_start(check_of(container.config), container.state.health),
    )
    ctx.registry.replace_state(container, state)
    await look_after(ctx, container)
    await follow_links(ctx, container)
    ctx.events.publish("container", "start", container.id, container_attributes(container))


async def look_after(ctx: EngineContext, container: Container) -> None:
    """Follow process, memory, log and health of a container that runs."""
    ctx.exits.watch(container.id)
    watch_memory(ctx, container)
    if container.state.status == "running":
        ctx.health.watch(container.id)
    await keep_log(ctx, container)


@dataclass(frozen=True, slots=True)
class _Started:
    pid: int
    monitor_pid: int
    netns_path: str


async def _bring_up(
    ctx: EngineContext, container: Container, streams: list[AttachStreams]
) -> _Started:
    if ctx.config.id_maps is not None:
        await in_thread(provide_user_namespace, ctx, container)
    network, root = await asyncio.gather(
        join_networks(ctx, container),
        in_thread(_mount_root, ctx, container),
        return_exceptions=True,
    )
    for result in (network, root):
        if isinstance(result, BaseException):
            raise result
    assert not isinstance(network, BaseException)
    assert isinstance(root, Bundle)
    sandbox, netns_path = network
    _AFTER_NETWORK()
    tell_networks(ctx, container, "connect")
    in_fitting_thread = thread_for(ctx, container)
    await in_fitting_thread(_write_bundle, ctx, container, root, sandbox, netns_path)
    runtime = ctx.runtimes[container.host_config.runtime]
    created = await conmon.create(runtime, root, container.id, _monitor_options(ctx, container))
    _AFTER_MONITOR()
    for stream in streams:
        stream.join(await connect(root, guards_stdin=not stream.takes_stdin))
    await runtime.start(container.id)
    _AFTER_PROCESS()
    return _Started(created.pid, created.conmon_pid, str(netns_path or ""))


async def connect(bundle: Bundle, *, guards_stdin: bool) -> AttachConnection:
    """Connect to a container's streams; who only reads must not end its input by leaving."""
    return await AttachConnection.connect(bundle.attach_socket, guards_stdin=guards_stdin)


def _mount_root(ctx: EngineContext, container: Container) -> Bundle:
    mounts = ctx.images.snapshots.mounts(container.layer)
    maps = id_maps(ctx, container.host_config)
    return bundles.create(ctx.config.exec_root, container.id, mounts, maps)


def _write_bundle(
    ctx: EngineContext,
    container: Container,
    bundle: Bundle,
    sandbox: Sandbox | None,
    netns_path: Path | None,
) -> None:
    etc_files = write_etc_files(ctx, container, sandbox)
    request = spec_request(ctx, container, bundle, etc_files, netns_path)
    host_config = container.host_config
    bundles.write_spec(bundle, generate(request, ctx.facts))
    if host_config.cpu_realtime_runtime:
        container_cgroup.provide_realtime(
            request.cgroups_path, host_config.cpu_realtime_runtime, host_config.cpu_realtime_period
        )


def _monitor_options(ctx: EngineContext, container: Container) -> conmon.MonitorOptions:
    logs = container.log_policy().is_written
    return conmon.MonitorOptions(
        terminal=container.config.tty,
        open_stdin=container.config.open_stdin,
        stdin_once=container.config.stdin_once,
        log_path=log_path(ctx.config.container_dir(container.id)) if logs else None,
        exit_dir=ctx.config.exec_root / "exits",
    )


async def _give_up(
    ctx: EngineContext, container: Container, streams: list[AttachStreams], error: BaseException
) -> None:
    for stream in streams:
        await stream.close()
    tell_networks(ctx, container, "disconnect")
    await release_resources(ctx, container)
    container.state.error = error.message if isinstance(error, NaruError) else str(error)
    container.state.exit_code = error.exit_code if isinstance(error, StartFailedError) else 128
    if container.state.status == "restarting":
        container.state.status = "exited"
    container.state.pid = 0
    ctx.registry.save_state(container)
    ctx.waiters.exited(container.id, container.state.exit_code)
    if container.host_config.auto_remove and not container.state.comes_back:
        await remove_stopped(ctx, container, volumes=True)
