"""Subnets and bridge names that nobody else on the machine uses."""

from __future__ import annotations

import ipaddress
import itertools
import json
import os
import subprocess
from collections.abc import Iterator

from harness.claims import claim

_numbers = itertools.count()


class Subnet:
    """A /20 out of 10.128.0.0/10, held by a file lock as long as this object is."""

    def __init__(self) -> None:
        index, self._lock = claim("subnets", _unrouted())
        self.network = _network(index)

    @property
    def bip(self) -> str:
        """Return the bridge's address, as `--bip` wants it: a /24 at the start of the range."""
        return f"{self.network[1]}/24"

    @property
    def pool(self) -> str:
        """Return a range for further networks, as `--default-address-pool` wants it."""
        upper = list(self.network.subnets(prefixlen_diff=1))[1]
        return f"base={upper},size=26"

    def close(self) -> None:
        """Let others have it."""
        self._lock.close()


def bridge_name() -> str:
    """Return a name of at most 15 characters that this process has not given out yet."""
    return f"nt{os.getpid() % 10_000_000}x{next(_numbers) % 10_000}"


def _network(index: int) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network((0x0A800000 + index * 4096, 20))


def _unrouted() -> Iterator[int]:
    """Yield the numbers of the ranges that the machine has no route to."""
    taken = _routed()
    start = os.getpid() * 7
    for step in range(1024):
        index = (start + step) % 1024
        if not any(_network(index).overlaps(other) for other in taken):
            yield index


def _routed() -> list[ipaddress.IPv4Network]:
    answer = subprocess.run(
        ["ip", "-j", "-4", "route", "show", "table", "all"], capture_output=True, check=True
    )
    networks = []
    for route in json.loads(answer.stdout or b"[]"):
        destination = route.get("dst", "default")
        if destination != "default":
            networks.append(ipaddress.IPv4Network(destination, strict=False))
    return networks
