"""Who watches which container's counters, and the one sampler that feeds them.

A container is sampled once a second while somebody watches it, however many they are; nobody
costs nothing. Loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

from naru.aio import TaskSet
from naru.clock import Clock
from naru.runtime.stats import Sample

PERIOD_S = 1.0


class Reading:
    """A sample and when it was taken; `sample` is None while the container does not run."""

    __slots__ = ("sample", "taken_ns")

    def __init__(self, sample: Sample | None, taken_ns: int) -> None:
        self.sample = sample
        self.taken_ns = taken_ns


# Returns a reading, or None once there is no such container any more.
Take = Callable[[], Awaitable[Reading | None]]


class Samplers:
    """The samplers of all containers that are watched."""

    def __init__(self, tasks: TaskSet, clock: Clock) -> None:
        self._tasks = tasks
        self._clock = clock
        self._running: dict[str, _Sampler] = {}

    def __len__(self) -> int:
        return len(self._running)

    async def follow(self, container_id: str, take: Take) -> AsyncIterator[Reading]:
        """Yield a container's readings until it is removed: the last one if it is fresh, then each.

        A watcher that is slower than the sampler misses readings; it never holds it up.
        """
        sampler = self._running.get(container_id)
        if sampler is None:
            sampler = self._running[container_id] = _Sampler()
            work = self._sample(container_id, sampler, take)
            sampler.task = self._tasks.start(work, name=f"stats {container_id[:12]}")
        # Room for one: a newer reading takes the place of one that was not fetched.
        queue: asyncio.Queue[Reading | None] = asyncio.Queue(1)
        if sampler.last is not None:
            queue.put_nowait(sampler.last)
        sampler.watchers.add(queue)
        try:
            while (reading := await queue.get()) is not None:
                yield reading
        finally:
            sampler.watchers.discard(queue)
            if not sampler.watchers and sampler.task is not None:
                self._forget(container_id, sampler)
                sampler.task.cancel()

    async def _sample(self, container_id: str, sampler: _Sampler, take: Take) -> None:
        try:
            while (reading := await take()) is not None:
                sampler.tell(reading)
                await self._clock.sleep(PERIOD_S)
        finally:
            self._forget(container_id, sampler)
            sampler.tell(None)

    def _forget(self, container_id: str, sampler: _Sampler) -> None:
        if self._running.get(container_id) is sampler:
            del self._running[container_id]


class _Sampler:
    def __init__(self) -> None:
        self.last: Reading | None = None
        self.watchers: set[asyncio.Queue[Reading | None]] = set()
        self.task: asyncio.Task[None] | None = None

    def tell(self, reading: Reading | None) -> None:
        self.last = reading
        for watcher in self.watchers:
            if watcher.full():
                watcher.get_nowait()
            watcher.put_nowait(reading)
