"""`attach` and the size of a container's terminal."""

from __future__ import annotations

from functools import partial

from naru.aio import in_thread
from naru.engine.containers.start import connect
from naru.engine.context import EngineContext
from naru.engine.live.attachments import STDERR, STDOUT, AttachStreams, log_path
from naru.engine.live.detach_keys import DEFAULT_KEYS, parse_keys
from naru.engine.model import Container
from naru.engine.streams.replay import LiveAfterReplay, Replay
from naru.engine.views.containers import container_attributes
from naru.errors import ConflictError
from naru.runtime import bundle as bundles
from naru.runtime import log_file
from naru.runtime.attach import resize
from naru.runtime.log_lines import timestamp_text


async def attach_container(
    ctx: EngineContext,
    name: str,
    *,
    stdin: bool,
    stdout: bool,
    stderr: bool,
    stream: bool,
    logs: bool,
    detach_keys: str,
) -> AttachStreams:
    """Return the streams of a container, which may still have to start.

    `logs` replays what was written so far; without `stream` it ends there.

    Raises:
        NotFoundError: no such container.
        ConflictError: it is paused, restarting or being removed.
        InvalidInputError: the detach keys are none.
    """
    container = ctx.registry.find(name)
    keys = parse_keys(detach_keys or DEFAULT_KEYS)
    match container.state.status:
        case "paused":
            raise ConflictError(f"container {name} is paused, unpause the container before attach")
        case "restarting":
            raise ConflictError(
                f"container {container.id} is restarting, wait until the container is running"
            )
        case "removing" | "dead":
            raise ConflictError(f"container {container.id} is marked for removal")
    outputs = frozenset(number for number, wanted in ((STDOUT, stdout), (STDERR, stderr)) if wanted)
    replay = _replay(ctx, container, outputs) if logs else None
    streams = AttachStreams(
        tty=container.config.tty,
        stdin=stdin and stream and container.config.open_stdin,
        outputs=outputs,
        detach_keys=keys,
        replay=replay.pieces() if replay is not None else None,
        on_detach=partial(_publish, ctx, container, "detach"),
    )
    if not stream:
        streams.join(None)
    elif container.is_running:
        bundle = bundles.existing(ctx.config.exec_root, container.id)
        live = await connect(bundle, guards_stdin=not streams.takes_stdin)
        streams.join(live if replay is None else LiveAfterReplay(live, replay))
    elif container.state.status == "created" or not logs:
        ctx.attachments.wait_for_start(container.id, streams)
    else:
        streams.join(None)
    _publish(ctx, container, "attach")
    return streams


def _publish(ctx: EngineContext, container: Container, action: str) -> None:
    ctx.events.publish("container", action, container.id, container_attributes(container))


def _replay(ctx: EngineContext, container: Container, outputs: frozenset[int]) -> Replay:
    path = log_path(ctx.config.container_dir(container.id))
    now = timestamp_text(ctx.clock.now_ns())
    return Replay(log_file.records(path, outputs=outputs), now)


async def resize_container(ctx: EngineContext, name: str, rows: int, columns: int) -> None:
    """Tell a container's terminal, if it has one, its size.

    Raises:
        NotFoundError: no such container.
        ConflictError: it does not run.
    """
    container = ctx.registry.find(name)
    if not container.is_running:
        raise ConflictError(f"Container {container.id} is not running")
    if container.config.tty:
        bundle = bundles.existing(ctx.config.exec_root, container.id)
        await in_thread(resize, bundle.path, rows, columns)
    ctx.events.publish(
        "container",
        "resize",
        container.id,
        container_attributes(container, height=str(rows), width=str(columns)),
    )
