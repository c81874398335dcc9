"""`stats`: what a container uses, once or as it goes."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from naru.aio import in_thread
from naru.engine.containers.spec_request import cgroup_path
from naru.engine.context import EngineContext
from naru.engine.live.samplers import Reading
from naru.engine.model import Container, Json
from naru.engine.views.stats import stats_view
from naru.errors import InvalidInputError, NotFoundError
from naru.runtime import stats


async def container_stats(
    ctx: EngineContext, name: str, *, stream: bool, one_shot: bool
) -> AsyncGenerator[Json, None]:
    """Return the container's counters as they are taken; without `stream` one answer, or none.

    An answer carries the one before it, so that a rate can be told; a `one_shot` does without,
    and is there at once. A stream goes on while the container does not run, and ends when it is
    removed.

    Raises:
        NotFoundError: no such container.
        InvalidInputError: `one_shot` was asked of a stream.
    """
    container = ctx.registry.find(name)
    if stream and one_shot:
        raise InvalidInputError("cannot have stream=true and one-shot=true")
    if not stream and not container.is_running:
        return _only(stats_view(container, Reading(None, 0), None, ctx.facts.memory))
    if one_shot:
        reading = await _take(ctx, container)
        return _only(stats_view(container, reading, None, ctx.facts.memory))
    return _answers(ctx, container, stream=stream)


async def _only(answer: Json) -> AsyncGenerator[Json, None]:
    yield answer


async def _answers(
    ctx: EngineContext, container: Container, *, stream: bool
) -> AsyncGenerator[Json, None]:
    async def take() -> Reading | None:
        if ctx.registry.get(container.id) is None:
            return None
        return await _take(ctx, container)

    before: Reading | None = None
    async for reading in ctx.samplers.follow(container.id, take):
        # The first reading of a single answer is only there to be compared with.
        if stream or before is not None:
            yield stats_view(container, reading, before, ctx.facts.memory)
            if not stream:
                return
        before = reading


async def _take(ctx: EngineContext, container: Container) -> Reading:
    if not container.is_running:
        return Reading(None, 0)
    path, pid = cgroup_path(ctx, container), container.state.pid
    sample = await in_thread(stats.sample, path, pid, _interfaces(ctx, container))
    return Reading(sample, ctx.clock.now_ns() if sample else 0)


def _interfaces(ctx: EngineContext, container: Container) -> list[str]:
    """Return the interfaces that the engine gave to the container or to the one that it joins.

    The host's are nobody's to be counted, and those that a container makes for itself would
    count its traffic twice.
    """
    try:
        while container.joined_container():
            container = ctx.registry.find(container.joined_container())
    except NotFoundError:
        return []
    sandbox = ctx.networks.sandbox(container.id)
    return [endpoint.interface for endpoint in sandbox.endpoints] if sandbox else []
