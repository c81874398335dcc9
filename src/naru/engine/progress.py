"""Long work that reports as it goes, turned into a stream of records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

from naru.aio import TaskSet
from naru.engine.model import Json

T = TypeVar("T")
Report = Callable[[Json], None]


async def records_of(
    tasks: TaskSet, work: Callable[[Report], Awaitable[T]], *, name: str
) -> AsyncIterator[Json]:
    """Run `work` and yield what it reports; its error is raised after the last record.

    When the reader goes away the work is cancelled. `work` may report from any thread.
    """
    queue: asyncio.Queue[Json | None] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def report(record: Json) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, record)

    async def run() -> T:
        try:
            return await work(report)
        finally:
            loop.call_soon_threadsafe(queue.put_nowait, None)

    task = tasks.start(run(), name=name, reports_failure=False)
    try:
        while (record := await queue.get()) is not None:
            yield record
        await task
    finally:
        task.cancel()
        await asyncio.wait([task])
