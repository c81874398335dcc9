"""Health checks: asking a container how it is, again and again, and what follows from it.

A probe is an exec session like any other, with the same events. A container is watched while it
runs; pausing and ending stop that. Health outlives the engine as far as it matters: it is stored
when the status changes, and on the way to `unhealthy`.
"""

from __future__ import annotations

import asyncio
import contextlib

from naru.aio import TaskSet, uncancelled
from naru.api.exec import ExecConfig
from naru.engine.containers.health_actions import act_on_failure
from naru.engine.context import EngineContext
from naru.engine.health_rule import (
    NO_EXIT_CODE,
    OUTPUT_LIMIT,
    Health,
    HealthCheck,
    ProbeResult,
    after_probe,
    check_of,
    timed_out_text,
    wait_before_probe,
)
from naru.engine.live.attachments import STDERR, STDOUT, AttachStreams
from naru.engine.live.exec_sessions import ExecSession
from naru.engine.model import Container
from naru.engine.streams.exec import announce_exec, kill_exec, launch_exec
from naru.engine.views.containers import container_attributes
from naru.errors import NaruError
from naru.faults import fault_point
from naru.ids import new_id

_BEFORE_ACTION = fault_point("engine.health.before_action")

# A killed probe ends at once, unless its container is frozen or the machine overloaded.
_KILL_PATIENCE = 10.0
# Output that is under way when the process ends; a child that it left behind may hold the
# stream for ever.
_LAST_WORDS = 0.5


async def watch_health(ctx: EngineContext, container_id: str) -> None:
    """Probe a container until this is cancelled; returns at once when it has no check.

    It also ends when something is done about a container that is unhealthy.
    """
    container = ctx.registry.get(container_id)
    check = check_of(container.config) if container else None
    if container is None or check is None:
        return
    started_ns = container.state.started_ns
    while True:
        health = container.state.health or Health()
        now_ns = ctx.clock.now_ns()
        pause = wait_before_probe(check, health, started_ns=started_ns, now_ns=now_ns)
        await ctx.clock.sleep(pause)
        result = await _probe(ctx, container, check)
        _record(ctx, container, check, result)
        if check.on_failure != "none" and _is_sick(container.state.health):
            # A task of its own: what it does to the container ends this watch.
            act = _act(ctx, container, check.on_failure, started_ns)
            ctx.tasks.start(act, name=f"unhealthy {container.short_id}")
            return


def _is_sick(health: Health | None) -> bool:
    return health is not None and health.status == "unhealthy"


async def _act(ctx: EngineContext, container: Container, action: str, started_ns: int) -> None:
    try:
        _BEFORE_ACTION()
        await act_on_failure(ctx, container, action, started_ns)
    finally:
        if container.state.status == "running" and container.state.started_ns == started_ns:
            # It did not help: the next probe decides whether to try again.
            ctx.health.watch(container.id)


def _record(
    ctx: EngineContext, container: Container, check: HealthCheck, result: ProbeResult
) -> None:
    state = container.state
    before = state.health or Health()
    state.health = after = after_probe(check, before, result, started_ns=state.started_ns)
    is_same = after.status == before.status
    if not is_same or (after.failing_streak != before.failing_streak and not _is_sick(after)):
        # What only goes on is not worth a write: there may be a hundred probes every second.
        ctx.registry.save_state(container)
    if is_same:
        return
    ctx.events.publish(
        "container",
        f"health_status: {after.status}",
        container.id,
        container_attributes(container),
    )
    if after.status == "healthy":
        ctx.waiters.became_healthy(container.id)


async def _probe(ctx: EngineContext, container: Container, check: HealthCheck) -> ProbeResult:
    """Run the check once. Nothing of it is left running, also when this is cancelled."""
    start_ns = ctx.clock.now_ns()
    config = ExecConfig(cmd=list(check.words), attach_stdout=True, attach_stderr=True)
    session = ExecSession(new_id(), container.id, config, is_probe=True)
    ctx.execs.add(session)
    announce_exec(ctx, container, session)
    streams = AttachStreams(
        tty=False, stdin=False, outputs=frozenset({STDOUT, STDERR}), ended=session.ended
    )
    output = _Output()
    readers = TaskSet("probe")
    try:
        async with ctx.health.launches:
            await uncancelled(launch_exec(ctx, container, session, streams))
        reading = readers.start(output.read(streams), name="output", reports_failure=False)
        code, text = await _outcome(ctx, session, check, output, reading)
    except NaruError as error:
        code, text = NO_EXIT_CODE, error.message
    finally:
        await _leave(ctx, session, streams, readers)
    return ProbeResult(start_ns, ctx.clock.now_ns(), code, text)


async def _outcome(
    ctx: EngineContext,
    session: ExecSession,
    check: HealthCheck,
    output: _Output,
    reading: asyncio.Task[None],
) -> tuple[int, str]:
    try:
        await asyncio.wait_for(session.ended.wait(), check.timeout / 10**9)
    except TimeoutError:
        await kill_exec(ctx, session)
        # Probes that die slowly must not pile up.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(session.ended.wait(), _KILL_PATIENCE)
        return NO_EXIT_CODE, timed_out_text(check, output.text())
    await asyncio.wait([reading], timeout=_LAST_WORDS)
    code = NO_EXIT_CODE if session.exit_code is None else session.exit_code
    return code, output.text()


async def _leave(
    ctx: EngineContext, session: ExecSession, streams: AttachStreams, readers: TaskSet
) -> None:
    if session.running:
        await kill_exec(ctx, session)
    else:
        ctx.execs.forget(session.id)
    await streams.close()
    await readers.close()


class _Output:
    """The first bytes that a probe writes."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._is_cut = False

    async def read(self, streams: AttachStreams) -> None:
        """Take all that comes, and keep the beginning."""
        while (piece := await streams.read()) is not None:
            room = OUTPUT_LIMIT - len(self._kept)
            self._kept += piece[1][:room]
            self._is_cut = self._is_cut or len(piece[1]) > room

    def text(self) -> str:
        """Return it as the health log shows it."""
        return self._kept.decode(errors="replace") + ("..." if self._is_cut else "")
