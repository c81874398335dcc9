"""One sample of what a container uses.

The engine's door to the counters of control groups and of the kernel. Blocking, about a
millisecond: send it to a thread.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from naru.linux import cgroup_stats, counters
from naru.linux.cgroup_stats import BlockCount, CpuUsage, GroupUsage, MemoryUsage
from naru.linux.counters import InterfaceCounters

__all__ = ["BlockCount", "CpuUsage", "GroupUsage", "InterfaceCounters", "MemoryUsage", "Sample"]


@dataclass(frozen=True, slots=True)
class Sample:
    """The counters of a container and of the machine at one moment; all only ever grow."""

    group: GroupUsage
    machine_cpu_ns: int
    online_cpus: int
    interfaces: Mapping[str, InterfaceCounters]


def sample(cgroups_path: str, pid: int, interfaces: Collection[str]) -> Sample | None:
    """Return the counters of a container's group, and of these interfaces as process `pid` sees them.

    None when the group is gone: the container has ended.
    """
    group = cgroup_stats.usage(cgroups_path)
    if group is None:
        return None
    machine_cpu_ns, online_cpus = counters.machine_cpu()
    found = counters.interfaces_of(pid) if interfaces else {}
    counted = {name: found[name] for name in sorted(interfaces) if name in found}
    return Sample(group, machine_cpu_ns, online_cpus, counted)
