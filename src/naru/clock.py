"""Time, as a value that tests can replace.

Everything that reads a clock or sleeps takes a `Clock`; nothing else in Naru may.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def now_ns(self) -> int:
        """Return UTC as nanoseconds since 1970."""

    def monotonic(self) -> float:
        """Return seconds that never go back; only differences mean anything."""

    async def sleep(self, seconds: float) -> None:
        """Wait without blocking the loop."""


class SystemClock:
    """The machine's own clock."""

    def now_ns(self) -> int:
        return time.time_ns()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
