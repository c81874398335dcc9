"""What happened, told to whoever listens and looked up for who asks later.

Spec: Engine API 1.50, GET /events. Listeners that fall behind are cut off rather than slowing
the engine.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import AsyncIterator, Callable
from weakref import WeakSet

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.clock import Clock
from naru.engine.events.filters import EventFilter
from naru.engine.events.journal import Event, EventJournal
from naru.errors import InvalidInputError
from naru.units import parse_time

_UNWRITTEN_KEPT = 256
_LISTENER_BACKLOG = 4096

_Listener = asyncio.Queue[Event | None]


class EventBus:
    """Publishes events and replays those of the past."""

    def __init__(self, clock: Clock, journal: EventJournal) -> None:
        self._clock = clock
        self._journal = journal
        self._unwritten: deque[Event] = deque(maxlen=_UNWRITTEN_KEPT)
        # A listener whose client went before it was listened to goes with its reader.
        self._listeners: WeakSet[_Listener] = WeakSet()

    @property
    def listener_count(self) -> int:
        """Return how many clients follow the events."""
        return len(self._listeners)

    def publish(
        self,
        kind: str,
        action: str,
        actor: str,
        attributes: dict[str, str],
        *,
        is_routine: bool = False,
    ) -> None:
        """Tell that `action` happened to the `kind` with id `actor`.

        Routine is what happens every second; the last of it is kept in memory, so that it does
        not push everything else out of the journal.
        """
        now = self._clock.now_ns()
        event: Event = {}
        # What clients before API 1.22 read; dockerd still sends it, in front.
        if kind in ("container", "image"):
            event |= {"status": action, "id": actor}
        if kind == "container":
            event["from"] = attributes.get("image", "")
        event |= {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": actor, "Attributes": attributes},
            "scope": "local",
            "time": now // 10**9,
            "timeNano": now,
        }
        if is_routine:
            self._unwritten.append(event)
        else:
            self._journal.append(event)
        for listener in list(self._listeners):
            if listener.full():
                self._listeners.discard(listener)
                listener.get_nowait()
                listener.put_nowait(None)
            else:
                listener.put_nowait(event)

    def follow(
        self, *, since_ns: int | None, until_ns: int | None, wanted: Callable[[Event], bool]
    ) -> AsyncIterator[Event]:
        """Listen from now on; yield past events from `since_ns` on, then new ones.

        Without `since_ns` nothing is replayed; without `until_ns` it never ends.
        """
        listener: _Listener = asyncio.Queue(_LISTENER_BACKLOG)
        self._listeners.add(listener)
        unwritten, last_number = list(self._unwritten), self._journal.last_number

        async def told() -> AsyncIterator[Event]:
            try:
                if since_ns is not None:
                    for event in await self._past(since_ns, until_ns, unwritten, last_number):
                        if wanted(event):
                            yield event
                while (event_or_end := await self._next(listener, until_ns)) is not None:
                    if wanted(event_or_end):
                        yield event_or_end
            finally:
                self._listeners.discard(listener)

        return told()

    async def _past(
        self, since_ns: int, until_ns: int | None, unwritten: list[Event], last_number: int
    ) -> list[Event]:
        written = await in_thread(self._journal.read, since_ns, until_ns, last_number)
        in_time = (
            event
            for event in unwritten
            if event["timeNano"] >= since_ns and (until_ns is None or event["timeNano"] <= until_ns)
        )
        return list(heapq.merge(written, in_time, key=lambda event: event["timeNano"]))

    async def _next(self, listener: _Listener, until_ns: int | None) -> Event | None:
        if until_ns is None:
            return await listener.get()
        left = (until_ns - self._clock.now_ns()) / 10**9
        if left <= 0:
            return None
        try:
            return await asyncio.wait_for(listener.get(), left)
        except TimeoutError:
            return None


def follow_events(
    bus: EventBus, clock: Clock, *, since: str, until: str, filters: Filters
) -> AsyncIterator[Event]:
    """Follow the events that a client asks for.

    Raises:
        InvalidInputError: a filter is unknown, or a time is none.
    """
    wanted = EventFilter(filters)
    now = clock.now_ns()
    since_ns = parse_time(since, now_ns=now) if since else None
    until_ns = parse_time(until, now_ns=now) if until else None
    if until_ns is not None and since_ns is None:
        since_ns = 0
    if until_ns is not None and since_ns is not None and until_ns < since_ns:
        raise InvalidInputError(f"`since` time ({since}) cannot be after `until` time ({until})")
    return bus.follow(since_ns=since_ns, until_ns=until_ns, wanted=wanted.lets_through)
