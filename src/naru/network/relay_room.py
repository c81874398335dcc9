"""How much of the engine's descriptors relays may take: clients must not use up the engine's own.

Loop only.
"""

from __future__ import annotations

import resource
from collections.abc import Callable

# Of what the process may have open: so much goes to connections, and so much to senders of
# datagrams.
_STREAM_PART, _DATAGRAM_PART = 4, 8


class Room:
    """Descriptors that may be taken, and whoever waits for some to come back."""

    def __init__(self, size: int) -> None:
        self._free = size
        self._waiting: list[Callable[[], None]] = []

    def take(self, count: int) -> bool:
        """Take so many descriptors, if there are so many."""
        if count > self._free:
            return False
        self._free -= count
        return True

    def give_back(self, count: int) -> None:
        """Give descriptors back, and tell all who wait."""
        self._free += count
        waiting, self._waiting = self._waiting, []
        for tell in waiting:
            tell()

    def wait(self, tell: Callable[[], None]) -> None:
        """Call `tell` once when something has been given back."""
        self._waiting.append(tell)


def stream_room() -> Room:
    """Return the room of all connections of an engine."""
    return Room(_open_files() // _STREAM_PART)


def datagram_room() -> Room:
    """Return the room of all senders of datagrams of an engine."""
    return Room(_open_files() // _DATAGRAM_PART)


def _open_files() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
