"""The numbers of `stats`, worked out of the engine's counters as docker does. Pure.

Spec: docker/cli, container/stats_helpers.go; Engine API 1.50, ContainerStats, for the formulas.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Usage:
    """What one container uses, ready to be shown. Sizes are bytes."""

    __slots__ = (
        "cpu_percent",
        "memory",
        "memory_limit",
        "processes",
        "read",
        "received",
        "sent",
        "written",
    )

    def __init__(self, answer: dict[str, Any]) -> None:
        memory = answer.get("memory_stats") or {}
        self.cpu_percent = cpu_percent(answer)
        self.memory = memory_used(memory)
        self.memory_limit: int = memory.get("limit") or 0
        self.processes: int = (answer.get("pids_stats") or {}).get("current") or 0
        self.read, self.written = block_bytes(answer.get("blkio_stats") or {})
        interfaces = (answer.get("networks") or {}).values()
        self.received: int = sum(one.get("rx_bytes", 0) for one in interfaces)
        self.sent: int = sum(one.get("tx_bytes", 0) for one in interfaces)

    @property
    def memory_percent(self) -> float:
        """The memory used, in percent of the limit."""
        return self.memory / self.memory_limit * 100.0 if self.memory_limit else 0.0


def cpu_percent(answer: dict[str, Any]) -> float:
    """Return the processor time used since the reading before; 100 is one whole processor."""
    now, before = answer.get("cpu_stats") or {}, answer.get("precpu_stats") or {}
    usage = now.get("cpu_usage") or {}
    used = _total(usage) - _total(before.get("cpu_usage") or {})
    passed = (now.get("system_cpu_usage") or 0) - (before.get("system_cpu_usage") or 0)
    # Engines of old do not tell how many processors there are but by counting for each.
    processors = now.get("online_cpus") or len(usage.get("percpu_usage") or ())
    return used / passed * processors * 100.0 if used > 0 and passed > 0 else 0.0


def _total(usage: dict[str, Any]) -> int:
    return usage.get("total_usage") or 0


def memory_used(memory: dict[str, Any]) -> int:
    """Return the memory used, less the file cache that the kernel would give back first."""
    used: int = memory.get("usage") or 0
    counters = memory.get("stats") or {}
    # The first is of version 1 of control groups, the second of version 2.
    for name in ("total_inactive_file", "inactive_file"):
        idle: int | None = counters.get(name)
        if idle is not None and idle < used:
            return used - idle
    return used


def block_bytes(block_io: dict[str, Any]) -> tuple[int, int]:
    """Return the bytes read from and written to block devices."""
    read, written = 0, 0
    for entry in block_io.get("io_service_bytes_recursive") or ():
        match entry.get("op", "")[:1].lower():
            case "r":
                read += entry["value"]
            case "w":
                written += entry["value"]
    return read, written
