"""From readings to the API's statistics. Pure.

Spec: Engine API 1.50, ContainerStatsResponse and the definitions that it names; Docker leaves
out most numbers that are zero.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict

from naru.engine.live.samplers import Reading
from naru.engine.model import Container, Json
from naru.runtime.stats import BlockCount, CpuUsage, GroupUsage, MemoryUsage, Sample
from naru.units import print_rfc3339

# Counted by one scheduler of version 1 only, and null everywhere else.
_SELDOM_COUNTED = (
    "io_queue_recursive",
    "io_service_time_recursive",
    "io_wait_time_recursive",
    "io_merged_recursive",
    "io_time_recursive",
    "sectors_recursive",
)


def stats_view(
    container: Container, reading: Reading, before: Reading | None, machine_memory: int
) -> Json:
    """Return one answer of `GET /containers/{id}/stats`.

    A limit above the machine's memory is shown as that memory.
    """
    sample = reading.sample
    group = sample.group if sample else None
    view: Json = {
        "name": f"/{container.name}",
        "id": container.id,
        "read": print_rfc3339(reading.taken_ns),
        "preread": print_rfc3339(before.taken_ns if before else 0),
        "pids_stats": _given(
            {"current": group.processes, "limit": group.max_processes} if group else {}
        ),
        "blkio_stats": _blkio_view(group),
        "num_procs": 0,
        "storage_stats": {},
        "cpu_stats": _cpu_view(sample),
        "precpu_stats": _cpu_view(before.sample if before else None),
        "memory_stats": _memory_view(group.memory, machine_memory) if group else {},
    }
    if sample and sample.interfaces:
        view["networks"] = {name: asdict(counts) for name, counts in sample.interfaces.items()}
    return view


def _cpu_view(sample: Sample | None) -> Json:
    cpu = sample.group.cpu if sample else CpuUsage()
    usage: Json = {
        "total_usage": cpu.total_ns,
        **_given({"percpu_usage": list(cpu.per_cpu_ns)}),
        "usage_in_kernelmode": cpu.kernel_ns,
        "usage_in_usermode": cpu.user_ns,
    }
    machine = (
        {"system_cpu_usage": sample.machine_cpu_ns, "online_cpus": sample.online_cpus}
        if sample
        else {}
    )
    return {
        "cpu_usage": usage,
        **_given(machine),
        "throttling_data": {
            "periods": cpu.periods,
            "throttled_periods": cpu.throttled_periods,
            "throttled_time": cpu.throttled_ns,
        },
    }


def _memory_view(memory: MemoryUsage, machine_memory: int) -> Json:
    is_limited = 0 < memory.limit < machine_memory
    return _given(
        {
            "usage": memory.usage,
            "max_usage": memory.max_usage,
            "stats": dict(memory.counters),
            "failcnt": memory.failures,
            "limit": memory.limit if is_limited else machine_memory,
        }
    )


def _blkio_view(group: GroupUsage | None) -> Json:
    # Version 2 counts bytes only; what is not counted is null there, and empty on version 1.
    counts_all = group is not None and group.operations is not None
    view: Json = {
        "io_service_bytes_recursive": _entries(group.transferred) if group else None,
        "io_serviced_recursive": (
            _entries(group.operations) if group and group.operations is not None else None
        ),
    }
    return view | {name: [] if counts_all else None for name in _SELDOM_COUNTED}


def _entries(counts: Iterable[BlockCount]) -> list[Json]:
    return [
        {"major": one.major, "minor": one.minor, "op": one.operation, "value": one.value}
        for one in counts
    ]


def _given(values: Json) -> Json:
    """Leave out what is zero or empty."""
    return {name: value for name, value in values.items() if value}
