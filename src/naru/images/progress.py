"""Progress records as Docker streams them, thinned out so that no client is flooded.

Spec: moby, pkg/streamformatter and pkg/jsonmessage.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from naru.clock import Clock
from naru.units import print_bytes_decimal

Report = Callable[[dict[str, Any]], object]
Hear = Callable[[str, int | None], object]
"""Is told a step of some work, and how many bytes are done if they are counted."""
_INTERVAL_S = 0.1
_BAR = 50


def status_record(status: str, identifier: str = "") -> dict[str, Any]:
    """Return a record without progress; `identifier` is what the line belongs to."""
    record: dict[str, Any] = {"status": status}
    return {**record, "id": identifier} if identifier else record


def layer_record(
    status: str, identifier: str, current: int | None = None, total: int = 0
) -> dict[str, Any]:
    """Return a record about one layer, with bytes done and bytes in all if `current` is given."""
    if current is None:
        return {"status": status, "progressDetail": {}, "id": identifier}
    return {
        "status": status,
        "progressDetail": {"current": current, "total": total},
        "progress": progress_bar(current, total),
        "id": identifier,
    }


def progress_bar(current: int, total: int) -> str:
    """Return the bar that old clients print as it comes: `[==>      ]  1.2MB/3MB`."""
    done = print_bytes_decimal(current)
    if total <= 0 or current > total:
        return f"{done:>8}"
    filled = min(current * _BAR // total, _BAR)
    # The bar keeps its width: the head of the arrow takes the place of a blank.
    bar = "=" * filled + ">" + " " * (_BAR - filled)
    return f"[{bar}] {done:>8}/{print_bytes_decimal(total)}"


class LayerProgress:
    """The moving line of one layer."""

    def __init__(self, report: Report, clock: Clock, identifier: str, total: int) -> None:
        self._report = report
        self._clock = clock
        self._identifier = identifier
        self._total = total
        self._next_at = 0.0
        self._last = -1

    def say(self, status: str) -> None:
        """Report a step: `Pulling fs layer`, `Download complete` …."""
        self._next_at, self._last = 0.0, -1
        self._report(layer_record(status, self._identifier))

    def move(self, status: str, current: int) -> None:
        """Report bytes, ten times a second at most, and always at the end."""
        now = self._clock.monotonic()
        if current != self._last and (now >= self._next_at or current >= self._total):
            self._next_at, self._last = now + _INTERVAL_S, current
            self._report(layer_record(status, self._identifier, current, self._total))

    def hear(self, status: str, current: int | None = None) -> None:
        """Do as `move` if there are bytes, else as `say`."""
        if current is None:
            self.say(status)
        else:
            self.move(status, current)


class Audience:
    """Who waits for work that is done once for several, and hears how far it is. On the loop.

    Who wants work done listens to its key before asking for the lock of it; whoever gets the lock
    tells the key, and by that all who wait.
    """

    def __init__(self) -> None:
        self._listeners: dict[str, list[Hear]] = {}
        self._last: dict[str, tuple[str, int | None]] = {}

    @contextlib.contextmanager
    def listening(self, key: str, hear: Hear) -> Iterator[None]:
        """Have `hear` told of the key for the length of the block, and at once of its last news."""
        listeners = self._listeners.setdefault(key, [])
        listeners.append(hear)
        if key in self._last:
            hear(*self._last[key])
        try:
            yield
        finally:
            listeners.remove(hear)
            if not listeners:
                del self._listeners[key]
                self._last.pop(key, None)

    def tell(self, key: str, status: str, current: int | None = None) -> None:
        """Say how far the work is. Nobody need listen."""
        listeners = self._listeners.get(key)
        if listeners is None:
            return
        self._last[key] = (status, current)
        for hear in list(listeners):
            hear(status, current)
