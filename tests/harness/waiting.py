"""Waiting for something to become true, with a deadline and a useful message."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(
    probe: Callable[[], T | None], what: str, *, timeout_s: float = 10.0, every_s: float = 0.02
) -> T:
    """Call `probe` until it returns something true, and return that.

    An `AssertionError` of the probe counts as "not yet".

    Raises:
        AssertionError: the time is up; says what was awaited and what came last.
    """
    deadline = time.monotonic() + timeout_s
    last: object = None
    while True:
        try:
            last = answer = probe()
            if answer:
                return answer
        except AssertionError as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout_s:g} s: {what}; last: {last!r}")
        time.sleep(every_s)
