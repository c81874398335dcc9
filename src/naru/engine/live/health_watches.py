"""Which containers are being watched over: one task for each, owned here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from naru.aio import TaskSet

# Spawning is the dear part of a probe. More at a time would not be faster, and would keep
# requests from their turn.
_LAUNCHES_AT_ONCE = 4

Watch = Callable[[str], Coroutine[object, object, None]]


class HealthWatches:
    """The tasks that ask containers how they are."""

    def __init__(self) -> None:
        self._tasks = TaskSet("health")
        self._by_container: dict[str, asyncio.Task[None]] = {}
        self._watch: Watch | None = None
        self.launches = asyncio.Semaphore(_LAUNCHES_AT_ONCE)

    def start(self, watch: Watch) -> None:
        """Say what watching a container is."""
        self._watch = watch

    async def close(self) -> None:
        """Stop watching; what is known of each container stays."""
        self._by_container.clear()
        await self._tasks.close()

    def watch(self, container_id: str) -> None:
        """Watch over a container from now on."""
        self.unwatch(container_id)
        assert self._watch is not None
        task = self._tasks.start(self._watch(container_id), name=container_id[:12])
        self._by_container[container_id] = task

    def unwatch(self, container_id: str) -> None:
        """Watch no more; a probe that runs is ended. Idempotent."""
        task = self._by_container.pop(container_id, None)
        if task is not None:
            task.cancel()
