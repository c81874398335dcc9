"""What happened, told to whoever listens and remembered for a while.

Spec: Engine API 1.50, GET /events. The last events are kept in memory, so `since` looks back as
far as dockerd's does; listeners that fall behind are cut off rather than slowing the engine.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from naru.api.filters import Filters
from naru.clock import Clock
from naru.units import parse_time

Event = dict[str, Any]
_KEPT = 1024
_LISTENER_BACKLOG = 4096


class EventBus:
    """Publishes events and replays the last ones."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: deque[Event] = deque(maxlen=_KEPT)
        self._listeners: set[asyncio.Queue[Event | None]] = set()

    @property
    def listener_count(self) -> int:
        """Return how many clients follow the events."""
        return len(self._listeners)

    def publish(self, kind: str, action: str, actor: str, attributes: dict[str, str]) -> None:
        """Tell that `action` happened to the `kind` with id `actor`."""
        now = self._clock.now_ns()
        event: Event = {
            "Type": kind,
            "Action": action,
            "Actor": {"ID": actor, "Attributes": attributes},
            "scope": "local",
            "time": now // 10**9,
            "timeNano": now,
        }
        # What clients before API 1.22 read; dockerd still sends it.
        if kind == "container":
            event |= {"status": action, "id": actor, "from": attributes.get("image", "")}
        elif kind == "image":
            event |= {"status": action, "id": actor}
        self._kept.append(event)
        for listener in list(self._listeners):
            if listener.full():
                self._listeners.discard(listener)
                listener.get_nowait()
                listener.put_nowait(None)
            else:
                listener.put_nowait(event)

    async def follow(
        self, *, since_ns: int | None, until_ns: int | None, wanted: Callable[[Event], bool]
    ) -> AsyncIterator[Event]:
        """Yield remembered events from `since_ns` on, then new ones until `until_ns`.

        Without `since_ns` nothing is replayed; without `until_ns` it never ends.
        """
        queue: asyncio.Queue[Event | None] = asyncio.Queue(_LISTENER_BACKLOG)
        replay = [] if since_ns is None else [e for e in self._kept if e["timeNano"] >= since_ns]
        self._listeners.add(queue)
        try:
            for event in replay:
                if until_ns is not None and event["timeNano"] > until_ns:
                    return
                if wanted(event):
                    yield event
            while (event_or_end := await self._next(queue, until_ns)) is not None:
                if wanted(event_or_end):
                    yield event_or_end
        finally:
            self._listeners.discard(queue)

    async def _next(self, queue: asyncio.Queue[Event | None], until_ns: int | None) -> Event | None:
        if until_ns is None:
            return await queue.get()
        left = (until_ns - self._clock.now_ns()) / 10**9
        if left <= 0:
            return None
        try:
            return await asyncio.wait_for(queue.get(), left)
        except TimeoutError:
            return None


_PREFIXED = ("container", "image", "volume", "network")
_FILTERS = frozenset({*_PREFIXED, "daemon", "event", "label", "scope", "type"})


def follow_events(
    bus: EventBus, clock: Clock, *, since: str, until: str, filters: Filters
) -> AsyncIterator[Event]:
    """Follow the events that a client asks for.

    Raises:
        InvalidInputError: a filter is unknown, or a time is none.
    """
    filters.refuse_unknown(_FILTERS)
    now = clock.now_ns()
    since_ns = parse_time(since, now_ns=now) if since else None
    until_ns = parse_time(until, now_ns=now) if until else None
    if until_ns is not None and since_ns is None:
        since_ns = 0
    return bus.follow(
        since_ns=since_ns, until_ns=until_ns, wanted=lambda event: _is_wanted(event, filters)
    )


def _is_wanted(event: Event, filters: Filters) -> bool:
    attributes = event["Actor"]["Attributes"]
    names = (event["Actor"]["ID"], attributes.get("name", ""))
    return (
        filters.matches("type", event["Type"])
        # The action of a health check or an exec carries its details after a colon.
        and any(
            filters.matches("event", action)
            for action in (event["Action"], event["Action"].partition(":")[0])
        )
        and filters.matches("scope", event["scope"])
        and filters.matches_labels("label", attributes)
        and all(_is_about(event, kind, names, filters) for kind in _PREFIXED if kind in filters)
    )


def _is_about(event: Event, kind: str, names: tuple[str, str], filters: Filters) -> bool:
    if kind == "image" and event["Type"] == "container":
        names = (event["Actor"]["Attributes"].get("image", ""), "")
    elif event["Type"] != kind:
        return False
    return any(
        filters.matches(kind, name) or filters.matches(kind, f"{name}:latest") for name in names
    ) or any(names[0].startswith(value) for value in filters.get(kind))
