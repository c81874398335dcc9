"""Ports and addresses of this machine that nobody but one test process uses.

The ports lie below the range that the kernel draws from. In that range, what was free a moment ago
is given to whoever connects somewhere meanwhile; and who asks a closed port of this machine is at
times given that very port, and then speaks with himself.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import socket

from harness.claims import claim

_FIRST_PORT, _SIZE, _BLOCKS = 10_000, 100, 220
_addresses = itertools.count(1)


class _Block:
    """A hundred ports that one process has for the rest of its life."""

    def __init__(self) -> None:
        start = os.getpid() % _BLOCKS
        numbers = ((start + step) % _BLOCKS for step in range(_BLOCKS))
        self.number, self._lock = claim("ports", numbers)
        self._next = 0

    def take(self, kind: socket.SocketKind, count: int) -> int:
        for _ in range(_SIZE):
            if self._next + count > _SIZE:
                self._next = 0
            first = _FIRST_PORT + self.number * _SIZE + self._next
            self._next += count
            if all(_is_free(port, kind) for port in range(first, first + count)):
                return first
        raise RuntimeError(f"no {count} ports in a row are free for tests")


@functools.cache
def _own_block() -> _Block:
    return _Block()


def _is_free(port: int, kind: socket.SocketKind) -> bool:
    with socket.socket(socket.AF_INET, kind) as probe, contextlib.suppress(OSError):
        probe.bind(("0.0.0.0", port))
        return True
    return False


def free_port(kind: socket.SocketKind = socket.SOCK_STREAM, count: int = 1) -> int:
    """Return the first of `count` ports in a row that are free on all addresses.

    They are given out in turn: the same one comes again after some hundred others.
    """
    return _own_block().take(kind, count)


def loopback_address() -> str:
    """Return an address of the loopback interface that nothing listens on."""
    return f"127.77.{_own_block().number}.{next(_addresses) % 254 + 1}"
