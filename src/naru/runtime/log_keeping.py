"""Looking after the logs of containers: spools are shipped to their sinks and kept small.

Owns one task per container that writes, and a second one where the sink is a service. Tasks
sleep until the kernel says that a spool has grown; then they look again and again, the more
often the faster it grows, until it is quiet. An idle container costs nothing.

A file sink gets everything before its spool is rotated, so that it has no gaps. A service that
is down or slow holds up neither container nor engine: what the spool's bound drops is lost to it.
While no engine runs, spools grow, and the next engine sees to them first thing. Loop only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from naru.aio import TaskSet, in_thread
from naru.errors import ConflictError, NaruError
from naru.linux.inotify import Event, Inotify, Mask
from naru.runtime.bundle import Monitored
from naru.runtime.log_rotation import bound_ended, rotate, trim
from naru.runtime.log_shipment import FileShipment, Progress, RemoteShipment, Shipment

_log = logging.getLogger(__name__)

_SHORTEST_S: Final = 0.004
_LONGEST_S: Final = 0.05
# Without inotify, whose instances are limited per user, a quiet log is looked at so often.
_POLL_S: Final = 1.0
_QUIET_TURNS: Final = 3
# A spool that grows as fast as it is shipped must be rotated all the same.
_MOST_TURNS: Final = 64
_SHORTEST_RETRY_S: Final = 0.25
_LONGEST_RETRY_S: Final = 15.0
# Services that hang must not take all threads.
_PARALLEL_DELIVERIES: Final = 8
_LAST_DELIVERY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class KeptLog:
    """One container's log: its spool, the spool's bounds (0 bytes: none), and where it goes."""

    monitored: Monitored
    spool: Path
    max_bytes: int
    max_files: int
    shipment: Shipment | None = None


@dataclass(slots=True)
class _Kept:
    log: KeptLog
    stirred: asyncio.Event = field(default_factory=asyncio.Event)
    fresh: asyncio.Event = field(default_factory=asyncio.Event)
    delivered: asyncio.Event = field(default_factory=asyncio.Event)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tasks: TaskSet = field(default_factory=lambda: TaskSet("log"))
    looking: asyncio.Task[None] | None = None
    seen: tuple[int, int] = (0, -1)
    looked_at: float = 0.0
    watch: int = -1
    has_ended: bool = False
    has_failed: bool = False


class LogKeeper:
    """Keeps the logs of all containers."""

    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}
        self._inotify: Inotify | None = None
        self._watches: dict[int, _Kept] = {}
        self._deliveries = asyncio.Semaphore(_PARALLEL_DELIVERIES)

    def start(self) -> None:
        """Begin to listen to the kernel."""
        with contextlib.suppress(OSError):
            self._inotify = Inotify(self._events)

    async def close(self) -> None:
        """Stop; what was not shipped yet is shipped by the next engine. Idempotent."""
        for container_id in list(self._kept):
            await self._drop(container_id)
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None

    async def keep(self, container_id: str, log: KeptLog) -> None:
        """Look after the log of a container that runs."""
        await self._drop(container_id)
        kept = self._kept[container_id] = _Kept(log)
        looking = self._look_after(container_id, kept)
        kept.looking = kept.tasks.start(looking, name=f"look {container_id[:12]}")
        self._start_delivery(container_id, kept)

    def _start_delivery(self, container_id: str, kept: _Kept) -> None:
        if isinstance(kept.log.shipment, RemoteShipment):
            delivery = self._deliver(container_id, kept, kept.log.shipment)
            kept.tasks.start(delivery, name=f"deliver {container_id[:12]}")

    async def ended(self, container_id: str, log: KeptLog) -> None:
        """Ship the rest of a log whose container has ended, and cut the spool to its bounds.

        A file has everything when this returns; a service gets it in the background. Idempotent.

        Raises:
            OSError: the file does not take it; what is missing follows with the next run.
        """
        kept = self._kept.get(container_id)
        if kept is None:
            if not log.spool.exists():
                return
            kept = self._kept[container_id] = _Kept(log)
            self._start_delivery(container_id, kept)
        if isinstance(kept.log.shipment, RemoteShipment):
            async with kept.lock:
                if kept.looking is not None:
                    kept.looking.cancel()
            self._unwatch(kept)
            kept.has_ended = True
            kept.fresh.set()
        else:
            await self._stop(container_id)
        await in_thread(_finish, kept.log)

    async def forget(self, container_id: str) -> None:
        """Let go of a log, because the container goes. Idempotent.

        A service that takes lines gets the last ones; one that does not is not waited for.
        """
        kept = self._kept.get(container_id)
        if kept is not None and isinstance(kept.log.shipment, RemoteShipment) and kept.has_ended:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(kept.delivered.wait(), _LAST_DELIVERY_S)
        await self._drop(container_id)

    async def _drop(self, container_id: str) -> None:
        kept = await self._stop(container_id)
        if kept is not None and kept.log.shipment is not None:
            await in_thread(kept.log.shipment.close)

    async def _stop(self, container_id: str) -> _Kept | None:
        kept = self._kept.pop(container_id, None)
        if kept is not None:
            self._unwatch(kept)
            # Not in the middle of a turn: threads cannot be stopped.
            async with kept.lock:
                await kept.tasks.close()
        return kept

    async def _look_after(self, container_id: str, kept: _Kept) -> None:
        while True:
            quiet = 0
            while quiet < _QUIET_TURNS:
                moved = await self._turn(container_id, kept)
                quiet = 0 if moved else quiet + 1
                await asyncio.sleep(_pause(kept) if moved else _LONGEST_S)
            kept.stirred.clear()
            is_watched = self._watch(kept)
            if not await self._turn(container_id, kept):
                await self._rest(kept)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(kept.stirred.wait(), None if is_watched else _POLL_S)
            self._unwatch(kept)

    async def _turn(self, container_id: str, kept: _Kept) -> bool:
        """Ship what is new and rotate if it is time; say whether anything was new."""
        log = kept.log
        seen = _look(log.spool)
        if seen == kept.seen:
            return False
        is_first = kept.seen[1] < 0
        async with kept.lock:
            failed = await self._attempt(container_id, kept, self._ship(kept))
            # What cannot be shipped must not fill the disk either.
            if log.max_bytes and _look(log.spool)[1] >= log.max_bytes:
                failed |= await self._attempt(container_id, kept, self._rotate(log))
                seen = (0, 0)
        if failed:
            await asyncio.sleep(_POLL_S)
            return True
        kept.seen, kept.has_failed = seen, False
        return not is_first or seen[1] > 0

    async def _rest(self, kept: _Kept) -> None:
        """Close the files of a quiet log: a machine has many of those, and few descriptors."""
        if isinstance(kept.log.shipment, FileShipment):
            async with kept.lock:
                await in_thread(kept.log.shipment.close)

    async def _attempt(self, container_id: str, kept: _Kept, step: Awaitable[None]) -> bool:
        """Take a step, and say whether it failed; the engine's log hears of the first time."""
        try:
            await step
        except ConflictError:
            # Its conmon has ended; the exit tells the engine, which will say so.
            return False
        except (NaruError, OSError) as error:
            if not kept.has_failed:
                _log.warning("log of container %s: %s", container_id[:12], error)
            kept.has_failed = True
            return True
        return False

    async def _rotate(self, log: KeptLog) -> None:
        await rotate(log.monitored, log.spool, log.max_files)
        await in_thread(trim, log.spool, log.max_bytes, log.max_files)

    async def _ship(self, kept: _Kept) -> None:
        shipment = kept.log.shipment
        if isinstance(shipment, FileShipment):
            for _ in range(_MOST_TURNS):
                if await in_thread(shipment.ship) is not Progress.MORE:
                    break
        elif shipment is not None:
            kept.fresh.set()

    async def _deliver(self, container_id: str, kept: _Kept, shipment: RemoteShipment) -> None:
        """Feed a service whenever there is something fresh, until it has all of an ended log."""
        retry = _SHORTEST_RETRY_S
        while True:
            await kept.fresh.wait()
            kept.fresh.clear()
            progress = Progress.MORE
            while progress is not Progress.DONE:
                progress = await self._deliver_some(container_id, kept, shipment)
                if progress is Progress.STUCK:
                    await asyncio.sleep(retry)
                    retry = min(retry * 2, _LONGEST_RETRY_S)
                else:
                    retry = _SHORTEST_RETRY_S
            if kept.has_ended:
                await in_thread(shipment.close)
                if self._kept.get(container_id) is kept:
                    del self._kept[container_id]
                kept.delivered.set()
                return

    async def _deliver_some(
        self, container_id: str, kept: _Kept, shipment: RemoteShipment
    ) -> Progress:
        try:
            async with self._deliveries:
                progress = await in_thread(shipment.ship)
                if progress is Progress.DONE and kept.has_ended:
                    progress = await in_thread(shipment.finish)
        except (NaruError, OSError) as error:
            if not kept.has_failed:
                _log.warning("log of container %s: %s", container_id[:12], error)
            kept.has_failed = True
            return Progress.STUCK
        return progress

    def _watch(self, kept: _Kept) -> bool:
        if self._inotify is None:
            return False
        try:
            watch = self._inotify.watch(kept.log.spool, Mask.MODIFY)
        except OSError:
            return False
        kept.watch = watch
        self._watches[watch] = kept
        return True

    def _unwatch(self, kept: _Kept) -> None:
        if self._watches.pop(kept.watch, None) is not None and self._inotify is not None:
            self._inotify.unwatch(kept.watch)
        kept.watch = -1

    def _events(self, events: list[Event]) -> None:
        for event in events:
            if event.mask & Mask.OVERFLOW:
                for kept in self._kept.values():
                    kept.stirred.set()
            elif found := self._watches.get(event.watch):
                found.stirred.set()


def _look(spool: Path) -> tuple[int, int]:
    """Return which file the spool is now, and its size."""
    try:
        status = os.stat(spool)
    except FileNotFoundError:
        return 0, 0
    return status.st_ino, status.st_size


def _pause(kept: _Kept) -> float:
    """Return how long to wait: half of the way to the bound, at the log's present speed."""
    now = asyncio.get_running_loop().time()
    elapsed, kept.looked_at = max(now - kept.looked_at, 0.001), now
    bound = kept.log.max_bytes
    if not bound:
        return _LONGEST_S
    size = _look(kept.log.spool)[1]
    speed = max(size - kept.seen[1], 1) / elapsed
    return min(max((bound - size) / speed / 2, _SHORTEST_S), _LONGEST_S)


def _finish(log: KeptLog) -> None:
    shipment = log.shipment
    if isinstance(shipment, FileShipment):
        try:
            shipment.finish()
            if bound_ended(log.spool, log.max_bytes, log.max_files):
                shipment.respool()
        finally:
            shipment.close()
    else:
        bound_ended(log.spool, log.max_bytes, log.max_files)
    trim(log.spool, log.max_bytes, log.max_files)
