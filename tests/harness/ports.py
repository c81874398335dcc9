"""Ports of the host that nobody uses at the moment."""

from __future__ import annotations

import socket


def free_port(address: str = "0.0.0.0") -> int:
    """Return a TCP port that was free on `address` a moment ago."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
