"""Noticing that a client is gone after it has closed its sending side.

A closed sending side looks like the end of a file, and after that a socket has nothing more to
read, so that a loop which waits for bytes never hears that the other side has gone for good.
The kernel tells: a hang-up is reported even to those who ask for nothing.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class HangupWatch:
    """Calls back once when both directions of a socket are closed."""

    def __init__(self, descriptor: int, on_hangup: Callable[[], None]) -> None:
        """Watch the socket `descriptor`, which stays its owner's; `close` before it is closed."""
        self._on_hangup = on_hangup
        self._loop = asyncio.get_running_loop()
        # An epoll of its own, watched by the loop's: no mask means hang-ups and errors only,
        # which loops cannot be asked for.
        self._epoll = select.epoll(1)
        self._epoll.register(descriptor, 0)
        self._loop.add_reader(self._epoll.fileno(), self._report)

    def _report(self) -> None:
        self.close()
        self._on_hangup()

    def close(self) -> None:
        """Stop watching. Idempotent."""
        if not self._epoll.closed:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
