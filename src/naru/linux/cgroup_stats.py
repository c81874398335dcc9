"""What a control group has used: processor time, memory, processes, block devices.

Reads the counters of both versions into one form. A group is named as in `linux.cgroup`, which
owns the paths. Blocking, a dozen small files: well under a millisecond.

Spec: Linux, Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from naru.linux import cgroup

_NS_PER_TICK = 10**9 // os.sysconf("SC_CLK_TCK")
# The recursive counters are newer; either is all that there is on some kernels.
_V1_BYTES = ("blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_service_bytes")
_V1_OPERATIONS = ("blkio.throttle.io_serviced_recursive", "blkio.throttle.io_serviced")
_V2_BYTES = (("rbytes", "read"), ("wbytes", "write"))


@dataclass(frozen=True, slots=True)
class CpuUsage:
    """Nanoseconds of processor time; `per_cpu_ns` is empty on version 2, which does not count so."""

    total_ns: int = 0
    kernel_ns: int = 0
    user_ns: int = 0
    per_cpu_ns: tuple[int, ...] = ()
    periods: int = 0
    throttled_periods: int = 0
    throttled_ns: int = 0


@dataclass(frozen=True, slots=True)
class MemoryUsage:
    """Bytes of memory. `limit` 0 means none; `max_usage` is known on version 1 only.

    `failures` counts how often the limit was hit (version 1), or memory ran out (version 2).
    """

    usage: int = 0
    max_usage: int = 0
    limit: int = 0
    failures: int = 0
    counters: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BlockCount:
    """How much of one operation was done on one block device.

    The operation is the kernel's word: `Read` in version 1, `read` in version 2.
    """

    major: int
    minor: int
    operation: str
    value: int


@dataclass(frozen=True, slots=True)
class GroupUsage:
    """All counters of a group. `operations` is None on version 2; `max_processes` 0 means no limit."""

    cpu: CpuUsage
    memory: MemoryUsage
    processes: int
    max_processes: int
    transferred: tuple[BlockCount, ...]
    operations: tuple[BlockCount, ...] | None


def usage(group: str, root: Path = cgroup.ROOT) -> GroupUsage | None:
    """Return what the group has used; None when it is gone."""
    if not cgroup.exists(group, root):
        return None
    if cgroup.version(root) == 2:
        return _v2(cgroup.directory(group, "", root))
    return _v1(group, root)


def _v1(group: str, root: Path) -> GroupUsage:
    def directory(controller: str) -> Path:
        return cgroup.directory(group, controller, root)

    blkio, pids = directory("blkio"), directory("pids")
    return GroupUsage(
        cpu=_v1_cpu(directory("cpuacct"), directory("cpu")),
        memory=_v1_memory(directory("memory")),
        processes=_number(pids / "pids.current"),
        max_processes=_number(pids / "pids.max"),
        transferred=_v1_blocks(blkio, _V1_BYTES),
        operations=_v1_blocks(blkio, _V1_OPERATIONS),
    )


def _v1_cpu(accounts: Path, limits: Path) -> CpuUsage:
    ticks = _counters(accounts / "cpuacct.stat")
    throttling = _counters(limits / "cpu.stat")
    return CpuUsage(
        total_ns=_number(accounts / "cpuacct.usage"),
        kernel_ns=ticks.get("system", 0) * _NS_PER_TICK,
        user_ns=ticks.get("user", 0) * _NS_PER_TICK,
        per_cpu_ns=tuple(int(word) for word in _read(accounts / "cpuacct.usage_percpu").split()),
        periods=throttling.get("nr_periods", 0),
        throttled_periods=throttling.get("nr_throttled", 0),
        throttled_ns=throttling.get("throttled_time", 0),
    )


def _v1_memory(directory: Path) -> MemoryUsage:
    return MemoryUsage(
        usage=_number(directory / "memory.usage_in_bytes"),
        max_usage=_number(directory / "memory.max_usage_in_bytes"),
        limit=_number(directory / "memory.limit_in_bytes"),
        failures=_number(directory / "memory.failcnt"),
        counters=_counters(directory / "memory.stat"),
    )


def _v1_blocks(directory: Path, names: tuple[str, ...]) -> tuple[BlockCount, ...]:
    text = next((text for name in names if (text := _read(directory / name))), "")
    found = []
    for line in text.splitlines():
        device, *rest = line.split()
        # The last line is the sum of all devices, and names none.
        if len(rest) == 2 and ":" in device:
            major, _, minor = device.partition(":")
            found.append(BlockCount(int(major), int(minor), rest[0], int(rest[1])))
    return tuple(found)


def _v2(directory: Path) -> GroupUsage:
    cpu = _counters(directory / "cpu.stat")
    return GroupUsage(
        cpu=CpuUsage(
            total_ns=cpu.get("usage_usec", 0) * 1000,
            kernel_ns=cpu.get("system_usec", 0) * 1000,
            user_ns=cpu.get("user_usec", 0) * 1000,
            periods=cpu.get("nr_periods", 0),
            throttled_periods=cpu.get("nr_throttled", 0),
            throttled_ns=cpu.get("throttled_usec", 0) * 1000,
        ),
        memory=MemoryUsage(
            usage=_number(directory / "memory.current"),
            limit=_number(directory / "memory.max"),
            failures=_counters(directory / "memory.events").get("oom", 0),
            counters=_counters(directory / "memory.stat"),
        ),
        processes=_number(directory / "pids.current"),
        max_processes=_number(directory / "pids.max"),
        transferred=tuple(_v2_blocks(_read(directory / "io.stat"))),
        operations=None,
    )


def _v2_blocks(text: str) -> Iterator[BlockCount]:
    for line in text.splitlines():
        device, *pairs = line.split()
        major, _, minor = device.partition(":")
        values = dict(pair.split("=", 1) for pair in pairs if "=" in pair)
        for name, operation in _V2_BYTES:
            if name in values:
                yield BlockCount(int(major), int(minor), operation, int(values[name]))


def _counters(path: Path) -> dict[str, int]:
    """Return a file of lines with a name and a number each."""
    pairs = (line.split() for line in _read(path).splitlines())
    return {words[0]: int(words[1]) for words in pairs if len(words) == 2 and words[1].isdigit()}


def _number(path: Path) -> int:
    """Return the number that is all of a file; 0 for `max`, and for no file."""
    text = _read(path).strip()
    return int(text) if text.isdigit() else 0


def _read(path: Path) -> str:
    # A controller that is not there counts nothing, and a group may go at any moment.
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return ""
