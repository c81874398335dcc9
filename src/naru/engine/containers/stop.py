"""`stop`, `kill`, `restart`, `pause`, `unpause`."""

from __future__ import annotations

import asyncio
import signal as signals

from naru.engine.containers.start import launch
from naru.engine.context import EngineContext
from naru.engine.health_rule import at_rest
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes
from naru.errors import (
    ConflictError,
    FaultError,
    InvalidInputError,
    NaruError,
    NotFoundError,
    NotModifiedError,
)
from naru.faults import fault_point
from naru.runtime.oci_runtime import signal_number

_AFTER_STOP = fault_point("engine.restart.after_stop")
_KILL_PATIENCE = 12.0
ALIVE = ("running", "paused", "restarting")


def parse_signal(text: str) -> int:
    """Read a signal's name, with or without SIG, or its number.

    Raises:
        InvalidInputError: there is no such signal.
    """
    number = signal_number(text)
    if not number and text.isdigit() and int(text):
        raise InvalidInputError(f"the linux daemon does not support signal {text}")
    if not number:
        raise InvalidInputError(f"invalid signal: {text}")
    return number


async def stop_container(
    ctx: EngineContext, name: str, *, signal: str = "", timeout: int | None = None
) -> None:
    """Ask a container to end, and kill it when the grace is over.

    `timeout` is the grace in seconds; -1 waits for ever, None takes the container's own.

    Raises:
        NotFoundError: no such container.
        NotModifiedError: it does not run.
        InvalidInputError: no such signal.
    """
    container = ctx.registry.find(name)
    number = parse_signal(signal or container.config.stop_signal or "SIGTERM")
    if container.state.status not in ALIVE:
        raise NotModifiedError(f"Container {container.id} is already stopped")
    await _end(ctx, container, number, _grace(ctx, container, timeout))
    ctx.events.publish("container", "stop", container.id, container_attributes(container))


def _grace(ctx: EngineContext, container: Container, timeout: int | None) -> float | None:
    if timeout is None:
        own = container.config.stop_timeout
        timeout = ctx.config.stop_timeout if own is None else own
    return None if timeout < 0 else float(timeout)


async def _end(ctx: EngineContext, container: Container, number: int, grace: float | None) -> None:
    """Signal the process and wait for its end; SIGKILL follows when `grace` seconds are over."""
    stopped = ctx.waiters.exit(container.id)
    async with ctx.locks.hold(container.id):
        if container.state.status == "restarting":
            _cancel_restart(ctx, container)
            return
        if not container.is_running:
            return
        container.state.stopped_by_user = True
        ctx.registry.save_state(container)
        await _signal(ctx, container, number)
    if not await _within(stopped, grace):
        async with ctx.locks.hold(container.id):
            if container.is_running:
                await _signal(ctx, container, signals.SIGKILL)
        await _killed(stopped)


async def _killed(ended: asyncio.Future[int]) -> None:
    """Wait for the end of a process that was sent SIGKILL; one in the kernel's hands may stay."""
    if not await _within(ended, _KILL_PATIENCE):
        raise FaultError("tried to kill container, but did not receive an exit event")


async def _within(future: asyncio.Future[int], seconds: float | None) -> bool:
    done, _ = await asyncio.wait([future], timeout=seconds)
    return bool(done)


def _cancel_restart(ctx: EngineContext, container: Container) -> None:
    container.state.status = "exited"
    container.state.stopped_by_user = True
    ctx.registry.save_state(container)
    comes_back = container.state.comes_back
    ctx.waiters.exited(container.id, container.state.exit_code, comes_back=comes_back)


async def _signal(ctx: EngineContext, container: Container, number: int) -> None:
    """Send a signal; a paused container is let go on, or the signal would never arrive."""
    runtime = ctx.runtimes[container.host_config.runtime]
    try:
        await runtime.kill(container.id, number)
    except (NotFoundError, ConflictError):
        return  # It ended on its own; the exit is on its way.
    ctx.events.publish(
        "container", "kill", container.id, container_attributes(container, signal=str(number))
    )
    if container.state.status == "paused":
        await _resume(ctx, container)


async def kill_and_wait(ctx: EngineContext, container: Container) -> None:
    """End a container at once, and return when its end is recorded."""
    await _end(ctx, container, signals.SIGKILL, _KILL_PATIENCE)


async def kill_container(
    ctx: EngineContext, name: str, signal: str, *, by_user: bool = True
) -> None:
    """Send a signal to a container's first process; SIGKILL when none is named.

    A signal that is not the stop signal, and one that is not a user's, leave restart policies
    in force.

    Raises:
        NotFoundError: no such container.
        ConflictError: it does not run.
        InvalidInputError: no such signal.
    """
    try:
        await _kill(ctx, name, signal, by_user=by_user)
    except NaruError as error:
        error.message = f"cannot kill container: {name}: {error.message}"
        raise


async def _kill(ctx: EngineContext, name: str, signal: str, *, by_user: bool) -> None:
    number = parse_signal(signal or "SIGKILL")
    container = ctx.registry.find(name)
    stop_signal = parse_signal(container.config.stop_signal or "SIGTERM")
    ended = ctx.waiters.exit(container.id)
    async with ctx.locks.hold(container.id):
        if container.state.status == "restarting":
            # There is no process to tell: as in Docker any signal ends the waiting.
            _cancel_restart(ctx, container)
            return
        if not container.is_running:
            raise ConflictError(f"container {container.id} is not running")
        if by_user and number in (signals.SIGKILL, stop_signal):
            container.state.stopped_by_user = True
            ctx.registry.save_state(container)
        await _signal(ctx, container, number)
    if number == signals.SIGKILL:
        await _killed(ended)


async def restart_container(
    ctx: EngineContext, name: str, *, signal: str = "", timeout: int | None = None
) -> None:
    """Stop a container if it runs, and start it; an engine killed in between goes on at its start.

    Raises:
        NotFoundError: no such container.
        StartFailedError: it does not start again.
    """
    container = ctx.registry.find(name)
    number = parse_signal(signal or container.config.stop_signal or "SIGTERM")
    try:
        if container.state.status in ALIVE:
            await stop_to_come_back(ctx, container, number=number, timeout=timeout)
            _AFTER_STOP()
        async with ctx.locks.hold(container.id):
            if not container.is_running:
                await launch(ctx, container, restart_count=0)
    except NaruError:
        container.state.comes_back = False
        ctx.registry.save_state(container)
        raise
    ctx.events.publish("container", "restart", container.id, container_attributes(container))


async def stop_to_come_back(
    ctx: EngineContext, container: Container, *, number: int = 0, timeout: int | None = None
) -> None:
    """Stop a container that is started again at once; an engine that starts goes on with it.

    `number` is the signal, by default the container's own.

    Raises:
        FaultError: it does not end.
    """
    number = number or parse_signal(container.config.stop_signal or "SIGTERM")
    container.state.comes_back = True
    await _end(ctx, container, number, _grace(ctx, container, timeout))
    ctx.events.publish("container", "stop", container.id, container_attributes(container))


async def pause_container(ctx: EngineContext, name: str) -> None:
    """Freeze all processes of a container.

    Raises:
        NotFoundError: no such container.
        ConflictError: it does not run, or is paused already.
    """
    container = ctx.registry.find(name)
    async with ctx.locks.hold(container.id):
        match container.state.status:
            case "running":
                pass
            case "paused":
                raise ConflictError(f"Container {container.id} is already paused")
            case "restarting":
                raise ConflictError(
                    f"Container {container.id} is restarting, wait until the container is running"
                )
            case _:
                raise ConflictError(f"Container {container.id} is not running")
        ctx.health.unwatch(container.id)
        try:
            await ctx.runtimes[container.host_config.runtime].pause(container.id)
        except NaruError:
            ctx.health.watch(container.id)
            raise
        container.state.status, container.state.is_frozen = "paused", False
        container.state.health = at_rest(container.state.health)
        ctx.registry.save_state(container)
    ctx.events.publish("container", "pause", container.id, container_attributes(container))


async def unpause_container(ctx: EngineContext, name: str) -> None:
    """Let a paused container go on.

    Raises:
        NotFoundError: no such container.
        FaultError: it is not paused.
    """
    container = ctx.registry.find(name)
    async with ctx.locks.hold(container.id):
        if container.state.status != "paused":
            # Docker answers 500 here, and clients of its Go library tell by that.
            raise FaultError(f"Container {container.id} is not paused")
        await _resume(ctx, container)


async def _resume(ctx: EngineContext, container: Container) -> None:
    await ctx.runtimes[container.host_config.runtime].resume(container.id)
    container.state.status = "running"
    ctx.registry.save_state(container)
    ctx.health.watch(container.id)
    ctx.events.publish("container", "unpause", container.id, container_attributes(container))
