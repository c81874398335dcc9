"""Waiting for something to become true, with a deadline and a useful message."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

T = TypeVar("T")
_PATIENCE_S = 30.0


def eventually(
    probe: Callable[[], T | None],
    what: str,
    *,
    timeout_s: float = _PATIENCE_S,
    every_s: float = 0.02,
) -> T:
    """Call `probe` until it returns something true, and return that.

    An `AssertionError` of the probe counts as "not yet". The time is what a busy machine may take,
    not what is promised.

    Raises:
        AssertionError: the time is up; says what was awaited and what came last.
    """
    answers: list[T] = []
    for _ in _attempts(probe, what, timeout_s, answers):
        time.sleep(every_s)
    return answers[0]


async def eventually_async(probe: Callable[[], T | None], what: str) -> T:
    """Do what `eventually` does, and let the event loop run meanwhile."""
    answers: list[T] = []
    for _ in _attempts(probe, what, _PATIENCE_S, answers):
        await asyncio.sleep(0.02)
    return answers[0]


def settled(probe: Callable[[], T], what: str, *, for_s: float = 0.5) -> T:
    """Wait until `probe` has given the same answer for so long, and return that."""
    last, since = probe(), time.monotonic()

    def has_settled() -> bool:
        nonlocal last, since
        now = probe()
        if now != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since >= for_s

    eventually(has_settled, what)
    return last


def _attempts(
    probe: Callable[[], T | None], what: str, timeout_s: float, answers: list[T]
) -> Iterator[None]:
    """Yield after each attempt in vain; what came of the last one stands in `answers`."""
    deadline = time.monotonic() + timeout_s
    last: object = None
    while True:
        try:
            last = answer = probe()
            if answer:
                answers.append(answer)
                return
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last: {last!r}")
        yield
