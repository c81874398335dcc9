"""Who waits for which container to stop, exit again, become healthy, or go away."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TypeVar

from naru.errors import FaultError

T = TypeVar("T")


class Waiters:
    """Futures that get a container's exit code.

    `not-running` and `next-exit` differ only at the moment of asking: a container that restarts
    has stopped running in between, and Docker answers then.
    """

    def __init__(self) -> None:
        self._exits: defaultdict[str, list[asyncio.Future[int]]] = defaultdict(list)
        self._removals: defaultdict[str, list[asyncio.Future[int]]] = defaultdict(list)
        self._health: defaultdict[str, list[asyncio.Future[int | None]]] = defaultdict(list)

    def exit(self, container_id: str) -> asyncio.Future[int]:
        """Return what resolves at the next exit, even when a restart follows."""
        return _add(self._exits, container_id)

    def removal(self, container_id: str) -> asyncio.Future[int]:
        """Return what resolves when the container is gone."""
        return _add(self._removals, container_id)

    def health(self, container_id: str) -> asyncio.Future[int | None]:
        """Return what resolves to None when the container is healthy, or to its exit code."""
        return _add(self._health, container_id)

    def exited(self, container_id: str, exit_code: int, *, comes_back: bool = False) -> None:
        """Tell that the process ended; one that comes back may still become healthy."""
        _resolve(self._exits, container_id, exit_code)
        if not comes_back:
            _resolve(self._health, container_id, exit_code)

    def became_healthy(self, container_id: str) -> None:
        """Tell that a probe found the container well."""
        _resolve(self._health, container_id, None)

    def removal_failed(self, container_id: str, reason: str) -> None:
        """Tell who waits for the removal that it did not come about."""
        for future in self._removals.pop(container_id, []):
            if not future.done():
                future.set_exception(FaultError(reason))

    def removed(self, container_id: str, exit_code: int) -> None:
        """Tell that the container is gone: everybody is answered."""
        for group in (self._exits, self._removals):
            _resolve(group, container_id, exit_code)
        _resolve(self._health, container_id, exit_code)


def _add(group: defaultdict[str, list[asyncio.Future[T]]], container_id: str) -> asyncio.Future[T]:
    future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
    group[container_id].append(future)
    future.add_done_callback(lambda done: _drop(group, container_id, done))
    return future


def _drop(
    group: defaultdict[str, list[asyncio.Future[T]]],
    container_id: str,
    done: asyncio.Future[T],
) -> None:
    waiting = group.get(container_id, [])
    if done in waiting:
        waiting.remove(done)
    if not waiting:
        group.pop(container_id, None)


def _resolve(
    group: defaultdict[str, list[asyncio.Future[T]]], container_id: str, result: T
) -> None:
    for future in group.pop(container_id, []):
        if not future.done():
            future.set_result(result)
