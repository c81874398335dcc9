"""`exec`: a second process in a running container."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from naru.aio import in_thread, uncancelled
from naru.api.exec import ExecConfig
from naru.engine.containers.user_namespace import id_maps
from naru.engine.context import EngineContext
from naru.engine.live.attachments import STDERR, STDOUT, AttachStreams
from naru.engine.live.detach_keys import DEFAULT_KEYS, parse_keys
from naru.engine.live.exec_sessions import ExecSession
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes
from naru.errors import ConflictError, InvalidInputError, NotFoundError, StartFailedError
from naru.ids import new_id
from naru.runtime import bundle as bundles
from naru.runtime import exec_process
from naru.runtime.attach import resize
from naru.runtime.exits import ContainerExit
from naru.specgen.process import exec_process as exec_process_spec


async def create_exec(ctx: EngineContext, name: str, config: ExecConfig) -> str:
    """Prepare a process and return the id of its session; nothing runs yet.

    Raises:
        NotFoundError: no such container.
        ConflictError: the container does not run, or is paused.
        InvalidInputError: no command, or detach keys that are none.
    """
    container = ctx.registry.find(name)
    _check_running(container, name)
    if not config.cmd:
        raise InvalidInputError("No exec command specified")
    parse_keys(config.detach_keys or DEFAULT_KEYS, "escape keys")
    session = ExecSession(new_id(), container.id, config)
    ctx.execs.add(session)
    announce_exec(ctx, container, session)
    return session.id


def announce_exec(ctx: EngineContext, container: Container, session: ExecSession) -> None:
    """Tell that a session was made."""
    _publish(ctx, container, session, f"exec_create: {_words(session)}")


def _words(session: ExecSession) -> str:
    # Docker joins program and arguments, and there is a space even before no arguments.
    program, *arguments = session.config.cmd or ("",)
    return f"{program} {' '.join(arguments)}"


def _check_running(container: Container, shown: str) -> None:
    """Refuse what does not run; `shown` is how the user called it."""
    match container.state.status:
        case "running":
            return
        case "paused":
            raise ConflictError(f"Container {shown} is paused, unpause the container before exec")
        case "restarting":
            raise ConflictError(
                f"Container {container.id} is restarting, wait until the container is running"
            )
        case _:
            raise ConflictError(f"container {container.id} is not running")


def _publish(ctx: EngineContext, container: Container, session: ExecSession, action: str) -> None:
    attributes = container_attributes(container, execID=session.id)
    ctx.events.publish("container", action, container.id, attributes, is_routine=session.is_probe)


async def start_exec(
    ctx: EngineContext,
    exec_id: str,
    *,
    detach: bool,
    console_size: tuple[int, int] | None = None,
    before_launch: Callable[[], Awaitable[None]] | None = None,
) -> AttachStreams | None:
    """Start the process of a session and return its streams, or nothing when detached.

    `console_size` is (rows, columns). `before_launch` is awaited when nothing speaks against
    the start any more: clients must be told before the process can write. A caller that is
    cancelled leaves the process running, or coming.

    Raises:
        NotFoundError: no such session, or its container is gone.
        ConflictError: it was started before, or the container does not run any more.
        StartFailedError: the runtime refused the process.
    """
    session = ctx.execs.find(exec_id)
    container = ctx.registry.get(session.container_id)
    if container is None:
        raise NotFoundError(f"No such container: {session.container_id}")
    if session.started:
        state = "is already running" if session.running else "has already run"
        raise ConflictError(f"Error: Exec command {exec_id} {state}")
    _check_running(container, container.id)
    session.started = True
    session.running = True
    streams = None if detach else _streams(ctx, container, session)
    try:
        if before_launch is not None:
            await before_launch()
    except BaseException:
        _never_ran(session, 126)
        raise
    try:
        await uncancelled(launch_exec(ctx, container, session, streams, console_size))
    except StartFailedError as error:
        if streams is None:
            raise
        # The stream is promised already: Docker says it there, and in the exit code.
        return AttachStreams.of_text(f"{error.message}\r\n", tty=session.config.tty)
    except asyncio.CancelledError:
        if streams is not None:
            await streams.close()
        raise
    if streams is not None and streams.is_mute:
        # Nothing will ever come or go: Docker does not wait for the end of the process.
        await streams.close()
    return streams


def _streams(ctx: EngineContext, container: Container, session: ExecSession) -> AttachStreams:
    config = session.config
    return AttachStreams(
        tty=config.tty,
        stdin=config.attach_stdin,
        outputs=_outputs(config),
        detach_keys=parse_keys(config.detach_keys or DEFAULT_KEYS),
        ended=session.ended,
        on_detach=partial(_publish, ctx, container, session, "exec_detach"),
    )


def _never_ran(session: ExecSession, exit_code: int) -> None:
    session.running = False
    session.exit_code = exit_code
    session.launched.set()
    session.ended.set()


def _outputs(config: ExecConfig) -> frozenset[int]:
    if config.tty:
        return frozenset({STDOUT, STDERR})
    wanted = ((STDOUT, config.attach_stdout), (STDERR, config.attach_stderr))
    return frozenset(stream for stream, is_wanted in wanted if is_wanted)


async def launch_exec(
    ctx: EngineContext,
    container: Container,
    session: ExecSession,
    streams: AttachStreams | None,
    console_size: tuple[int, int] | None = None,
) -> None:
    """Run the process of a session and join `streams` to it, without a look at the container.

    Raises:
        StartFailedError: the runtime refused the process.
        ConflictError: the container ended meanwhile.
    """
    session.started = True
    session.running = True
    _publish(ctx, container, session, f"exec_start: {_words(session)}")
    try:
        started = await _run(ctx, container, session, console_size, attach=streams is not None)
    except BaseException as error:
        _never_ran(session, getattr(error, "exit_code", 126))
        raise
    session.pid = started.pid
    session.launched.set()
    ctx.exits.watch_exec(session.id)
    if streams is not None:
        streams.join(started.connection)


async def _run(
    ctx: EngineContext,
    container: Container,
    session: ExecSession,
    console_size: tuple[int, int] | None,
    *,
    attach: bool,
) -> exec_process.ExecStarted:
    bundle = bundles.existing(ctx.config.exec_root, container.id)
    process = await in_thread(_process, ctx, bundle, session.config)
    user, maps = process["user"], id_maps(ctx, container.host_config)
    return await exec_process.start(
        ctx.runtimes[container.host_config.runtime],
        bundle,
        ctx.config.exec_root / "x" / session.id,
        session.id,
        process,
        exec_process.ExecOptions(
            terminal=session.config.tty,
            open_stdin=session.config.attach_stdin and attach,
            attach=attach,
            exit_dir=ctx.config.exec_root / "exits",
            console_size=console_size or session.config.console_pair(),
            ends_with_engine=session.is_probe,
            host_user=maps.on_host(user["uid"], user["gid"]) if maps else None,
        ),
    )


def _process(ctx: EngineContext, bundle: bundles.Bundle, config: ExecConfig) -> dict[str, Any]:
    return exec_process_spec(
        bundles.read_spec(bundle)["process"],
        config,
        bundles.read_rootfs_text(bundle, "etc/passwd"),
        bundles.read_rootfs_text(bundle, "etc/group"),
        ctx.facts,
    )


def exec_ended(ctx: EngineContext, session: ExecSession, end: ContainerExit) -> None:
    """Record the end of a session's process. Idempotent."""
    session.running = False
    session.pid = 0
    session.exit_code = end.exit_code
    session.ended.set()
    if session.is_probe:
        ctx.execs.forget(session.id)
    container = ctx.registry.get(session.container_id)
    if container is not None:
        ctx.events.publish(
            "container",
            "exec_die",
            container.id,
            container_attributes(container, execID=session.id, exitCode=str(end.exit_code)),
            is_routine=session.is_probe,
        )


async def kill_exec(ctx: EngineContext, session: ExecSession) -> None:
    """Kill the process of a session with its group. Its end is reported as usual."""
    await in_thread(exec_process.kill, ctx.config.exec_root, session.id)


async def resize_exec(ctx: EngineContext, exec_id: str, rows: int, columns: int) -> None:
    """Tell the terminal of a session, if it has one, its size.

    Raises:
        NotFoundError: no such session.
        ConflictError: it does not run.
    """
    session = ctx.execs.find(exec_id)
    if session.running:
        # Clients are told of the start before the process is there.
        await session.launched.wait()
    if not session.running:
        raise ConflictError(f"exec {exec_id} is not running")
    if session.config.tty:
        await in_thread(resize, ctx.config.exec_root / "x" / exec_id, rows, columns)


async def inspect_exec(ctx: EngineContext, exec_id: str) -> dict[str, Any]:
    """Return what is known of a session.

    Raises:
        NotFoundError: no such session.
    """
    session = ctx.execs.find(exec_id)
    config, cmd = session.config, session.config.cmd or [""]
    return {
        "ID": session.id,
        "Running": session.running,
        "ExitCode": session.exit_code,
        "ProcessConfig": {
            "tty": config.tty,
            "entrypoint": cmd[0],
            "arguments": cmd[1:],
            "privileged": config.privileged,
            **({"user": config.user} if config.user else {}),
        },
        "OpenStdin": config.attach_stdin,
        "OpenStderr": config.attach_stderr,
        "OpenStdout": config.attach_stdout,
        # Docker says so of what its collector is about to drop, minutes after the end.
        "CanRemove": False,
        "ContainerID": session.container_id,
        "DetachKeys": config.detach_keys,
        "Pid": session.pid,
    }
