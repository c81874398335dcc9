"""Counters of the machine and of network interfaces, from `/proc`. Blocking, microseconds.

Spec: proc(5), /proc/stat and /proc/pid/net/dev.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

_NS_PER_TICK = 10**9 // os.sysconf("SC_CLK_TCK")
# user, nice, system, idle, iowait, irq, softirq: what Docker adds up.
_CPU_FIELDS = 7


@dataclass(frozen=True, slots=True)
class InterfaceCounters:
    """What one network interface received and sent."""

    rx_bytes: int
    rx_packets: int
    rx_errors: int
    rx_dropped: int
    tx_bytes: int
    tx_packets: int
    tx_errors: int
    tx_dropped: int


def machine_cpu(text: str | None = None) -> tuple[int, int]:
    """Return the time of all processors together in nanoseconds, and how many are online.

    `text` stands in for `/proc/stat`.
    """
    total_ns, online = 0, 0
    for line in (_read(Path("/proc/stat")) if text is None else text).splitlines():
        name, *values = line.split()
        if name == "cpu":
            total_ns = sum(map(int, values[:_CPU_FIELDS])) * _NS_PER_TICK
        elif name.startswith("cpu"):
            online += 1
    return total_ns, online


def interfaces_of(pid: int) -> dict[str, InterfaceCounters]:
    """Return the interfaces of a process's network namespace but loopback; {} if it is gone."""
    return parse_interfaces(_read(Path(f"/proc/{pid}/net/dev")))


def parse_interfaces(text: str) -> dict[str, InterfaceCounters]:
    """Read the text of `/proc/<pid>/net/dev`, without loopback."""
    found = {}
    for line in text.splitlines():
        name, colon, rest = line.partition(":")
        values = [int(word) for word in rest.split() if word.isdigit()]
        # Two lines of titles come first; eight values received and eight sent follow a name.
        if colon and len(values) >= 16 and name.strip() != "lo":
            found[name.strip()] = InterfaceCounters(*values[:4], *values[8:12])
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
