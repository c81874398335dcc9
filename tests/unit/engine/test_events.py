"""The bus of events: past and present without a gap, and nobody slows it down."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from naru.api.filters import Filters
from naru.clock import SystemClock
from naru.engine.events.bus import EventBus, follow_events
from naru.engine.events.journal import EventJournal
from naru.errors import InvalidInputError


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[EventBus]:
    journal = EventJournal(tmp_path)
    yield EventBus(SystemClock(), journal)
    journal.close()


def _happen(bus: EventBus, first: int, last: int, **more: Any) -> None:
    for number in range(first, last):
        bus.publish("container", f"number {number}", "abc", {}, **more)


def _wants_all(_: dict[str, Any]) -> bool:
    return True


async def test_nothing_is_lost_or_told_twice_between_past_and_present(bus: EventBus) -> None:
    _happen(bus, 0, 3)
    events = bus.follow(since_ns=0, until_ns=None, wanted=_wants_all)
    # Between the asking and the first look.
    _happen(bus, 3, 5)
    got = [(await anext(events))["Action"] for _ in range(4)]
    _happen(bus, 5, 6)
    got += [(await anext(events))["Action"] for _ in range(2)]
    assert got == [f"number {n}" for n in range(6)]


async def test_routine_is_told_in_its_place(bus: EventBus) -> None:
    _happen(bus, 0, 1)
    _happen(bus, 1, 2, is_routine=True)
    _happen(bus, 2, 3)
    past = follow_events(bus, SystemClock(), since="0", until="0s", filters=Filters())
    assert [event["Action"] async for event in past] == [f"number {n}" for n in range(3)]


async def test_who_does_not_listen_is_cut_off(bus: EventBus) -> None:
    slow = bus.follow(since_ns=None, until_ns=None, wanted=_wants_all)
    quick = bus.follow(since_ns=None, until_ns=None, wanted=_wants_all)
    for number in range(6000):
        _happen(bus, number, number + 1, is_routine=True)
        assert (await anext(quick))["Action"] == f"number {number}"
    got = [event["Action"] async for event in slow]
    assert len(got) < 5000
    assert bus.listener_count == 1


async def test_a_follower_that_never_looks_is_forgotten(bus: EventBus) -> None:
    events = bus.follow(since_ns=None, until_ns=None, wanted=_wants_all)
    assert bus.listener_count == 1
    del events
    await asyncio.sleep(0)
    assert bus.listener_count == 0


async def test_an_end_in_the_past_ends_at_once(bus: EventBus) -> None:
    past = follow_events(bus, SystemClock(), since="", until="1", filters=Filters())
    assert [event async for event in past] == []


def test_an_end_before_the_beginning_is_refused(bus: EventBus) -> None:
    with pytest.raises(InvalidInputError, match="cannot be after"):
        follow_events(bus, SystemClock(), since="2", until="1", filters=Filters())
