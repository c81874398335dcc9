"""A clock that stands still unless somebody sleeps or the test says so."""

from __future__ import annotations


class FakeClock:
    """Sleeping takes no time and moves it: `slept` says for how long; `seconds` is what it is now."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.seconds: float = 10**9

    def now_ns(self) -> int:
        return int(self.seconds * 10**9)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
