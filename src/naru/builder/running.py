"""Builds that go on: calling them off, and knowing which images they stand on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from naru.aio import TaskSet
from naru.errors import UnavailableError

T = TypeVar("T")


class RunningBuilds:
    """The builds of one engine. Images may be held from any thread."""

    def __init__(self) -> None:
        self._tasks = TaskSet("builds")
        self._by_id: dict[str, asyncio.Task[None]] = {}
        self._held: dict[str, set[str]] = {}

    def hold(self, build: str, image_id: str) -> None:
        """Remember that a build stands on an image, which is not to be removed meanwhile."""
        self._held.setdefault(build, set()).add(image_id)

    def release(self, build: str) -> None:
        """Forget the images of a build that is over. Idempotent."""
        self._held.pop(build, None)

    def users_of(self, image_id: str) -> list[str]:
        """Return the builds that stand on an image now."""
        return [build for build, held in list(self._held.items()) if image_id in held]

    async def run(self, build_id: str, work: Awaitable[None]) -> None:
        """Do the work of a build; an id of "" cannot be called off.

        Raises:
            UnavailableError: it was called off.
        """

        async def do() -> None:
            await work

        task = self._tasks.start(do(), name=build_id, reports_failure=False)
        if build_id:
            self._by_id[build_id] = task
        try:
            await asyncio.wait([task])
        finally:
            task.cancel()
            await asyncio.wait([task])
            if self._by_id.get(build_id) is task:
                del self._by_id[build_id]
        if task.cancelled():
            raise UnavailableError("build cancelled")
        await task

    def cancel(self, build_id: str) -> None:
        """Call a build off. One that is over, or never was, is off already."""
        task = self._by_id.get(build_id)
        if task is not None:
            task.cancel()
