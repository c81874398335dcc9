"""One sampler for all who watch, none for nobody."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import cast

from naru.aio import TaskSet
from naru.engine.live.samplers import Reading, Samplers


class _Clock:
    """Time that passes when the test says so."""

    def __init__(self) -> None:
        self.sleepers: list[asyncio.Future[None]] = []

    def now_ns(self) -> int:
        return 0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        self.sleepers.append(asyncio.get_running_loop().create_future())
        await self.sleepers[-1]

    async def tick(self) -> None:
        sleepers, self.sleepers = self.sleepers, []
        for sleeper in sleepers:
            if not sleeper.done():
                sleeper.set_result(None)
        await _settle()


async def _settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


class _Source:
    """Readings with a number each, until there is no container."""

    def __init__(self) -> None:
        self.taken = 0
        self.is_there = True

    async def take(self) -> Reading | None:
        self.taken += 1
        return Reading(None, self.taken) if self.is_there else None


def _follow(samplers: Samplers, source: _Source) -> AsyncGenerator[Reading, None]:
    return cast("AsyncGenerator[Reading, None]", samplers.follow("c", source.take))


async def test_many_watchers_share_one_sampler() -> None:
    clock, source = _Clock(), _Source()
    samplers = Samplers(TaskSet("test"), clock)
    first, second = _follow(samplers, source), _follow(samplers, source)
    assert (await anext(first)).taken_ns == 1
    # Who comes later gets what is known at once.
    assert (await anext(second)).taken_ns == 1
    await clock.tick()
    assert (await anext(first)).taken_ns == (await anext(second)).taken_ns == 2
    assert (source.taken, len(samplers)) == (2, 1)
    await first.aclose()
    assert len(samplers) == 1
    await second.aclose()


async def test_nobody_watching_costs_nothing() -> None:
    clock, source = _Clock(), _Source()
    samplers = Samplers(TaskSet("test"), clock)
    watcher = _follow(samplers, source)
    await anext(watcher)
    await watcher.aclose()
    await _settle()
    await clock.tick()
    assert (source.taken, len(samplers)) == (1, 0)


async def test_a_slow_watcher_gets_the_newest_reading() -> None:
    clock, source = _Clock(), _Source()
    watcher = _follow(Samplers(TaskSet("test"), clock), source)
    await anext(watcher)
    for _ in range(3):
        await clock.tick()
    assert (await anext(watcher)).taken_ns == 4
    await watcher.aclose()


async def test_watching_ends_with_the_container() -> None:
    clock, source = _Clock(), _Source()
    samplers = Samplers(TaskSet("test"), clock)
    watcher = _follow(samplers, source)
    await anext(watcher)
    source.is_there = False
    await clock.tick()
    assert [reading async for reading in watcher] == []
    assert len(samplers) == 0
