"""Counters of groups of both versions, on recorded trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.linux import cgroup_stats
from naru.linux.cgroup_stats import BlockCount, CpuUsage

_V2 = {
    "cpu.stat": (
        "usage_usec 29912\nuser_usec 7918\nsystem_usec 21994\nnice_usec 0\n"
        "core_sched.force_idle_usec 0\nnr_periods 12\nnr_throttled 3\nthrottled_usec 4500\n"
        "nr_bursts 0\nburst_usec 0\n"
    ),
    "memory.current": "6537216\n",
    "memory.max": "67108864\n",
    "memory.stat": "anon 1572864\nfile 7626752\nkernel_stack 16384\ninactive_file 2510848\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 2\noom_kill 2\noom_group_kill 0\n",
    "pids.current": "5\n",
    "pids.max": "max\n",
    "io.stat": (
        "254:0 rbytes=7593984 wbytes=100 rios=12 wios=1 dbytes=0 dios=0\n8:16 \n"
        "7:1 rbytes=1 wbytes=0 rios=1 wios=0 dbytes=0 dios=0\n"
    ),
}
_V1 = {
    "cpuacct/cpuacct.usage": "21598218\n",
    "cpuacct/cpuacct.usage_percpu": "6615113 14983105 \n",
    "cpuacct/cpuacct.stat": "user 1\nsystem 2\n",
    "cpu/cpu.stat": "nr_periods 7\nnr_throttled 2\nthrottled_time 33\nnr_bursts 0\n",
    "memory/memory.usage_in_bytes": "532480\n",
    "memory/memory.max_usage_in_bytes": "4083712\n",
    "memory/memory.limit_in_bytes": "67108864\n",
    "memory/memory.failcnt": "4\n",
    "memory/memory.stat": "cache 4096\ntotal_inactive_file 0\n",
    "pids/pids.current": "2\n",
    "pids/pids.max": "20\n",
    "blkio/blkio.throttle.io_service_bytes": (
        "254:0 Read 4096\n254:0 Write 8192\n254:0 Sync 0\n254:0 Total 12288\nTotal 12288\n"
    ),
    "blkio/blkio.throttle.io_serviced": "254:0 Read 1\nTotal 1\n",
}


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    group = tmp_path / "naru" / "abc"
    group.mkdir(parents=True)
    for name, text in _V2.items():
        (group / name).write_text(text)
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    for name, text in _V1.items():
        controller, _, file = name.partition("/")
        group = tmp_path / controller / "naru" / "abc"
        group.mkdir(parents=True, exist_ok=True)
        (group / file).write_text(text)
    return tmp_path


def test_version_2_is_read_in_the_units_of_version_1(v2: Path) -> None:
    used = cgroup_stats.usage("/naru/abc", v2)
    assert used
    assert used.cpu == CpuUsage(
        total_ns=29_912_000,
        kernel_ns=21_994_000,
        user_ns=7_918_000,
        periods=12,
        throttled_periods=3,
        throttled_ns=4_500_000,
    )
    assert (used.memory.usage, used.memory.limit, used.memory.failures) == (6537216, 67108864, 2)
    assert used.memory.counters["inactive_file"] == 2510848
    assert (used.processes, used.max_processes) == (5, 0)
    assert used.transferred == (
        BlockCount(254, 0, "read", 7593984),
        BlockCount(254, 0, "write", 100),
        BlockCount(7, 1, "read", 1),
        BlockCount(7, 1, "write", 0),
    )
    assert used.operations is None


def test_version_1_is_gathered_from_its_trees(v1: Path) -> None:
    used = cgroup_stats.usage("/naru/abc", v1)
    assert used
    assert used.cpu.total_ns == 21598218
    assert used.cpu.per_cpu_ns == (6615113, 14983105)
    assert used.cpu.kernel_ns == 2 * used.cpu.user_ns
    assert (used.cpu.periods, used.cpu.throttled_periods, used.cpu.throttled_ns) == (7, 2, 33)
    assert (used.memory.usage, used.memory.max_usage) == (532480, 4083712)
    assert (used.memory.limit, used.memory.failures) == (67108864, 4)
    assert (used.processes, used.max_processes) == (2, 20)
    assert used.transferred[:2] == (
        BlockCount(254, 0, "Read", 4096),
        BlockCount(254, 0, "Write", 8192),
    )
    # The line without a device is the sum of all.
    assert used.operations == (BlockCount(254, 0, "Read", 1),)


def test_what_inner_groups_did_counts_where_the_kernel_says_so(v1: Path) -> None:
    recursive = v1 / "blkio" / "naru" / "abc" / "blkio.throttle.io_service_bytes_recursive"
    recursive.write_text("254:0 Read 9999\nTotal 9999\n")
    used = cgroup_stats.usage("/naru/abc", v1)
    assert used
    assert used.transferred == (BlockCount(254, 0, "Read", 9999),)


@pytest.mark.parametrize("tree", ["v1", "v2"])
def test_a_group_that_is_gone_has_used_nothing(tree: str, request: pytest.FixtureRequest) -> None:
    assert cgroup_stats.usage("/naru/gone", request.getfixturevalue(tree)) is None


def test_a_controller_that_is_not_there_counts_nothing(v2: Path) -> None:
    (v2 / "naru" / "abc" / "io.stat").unlink()
    (v2 / "naru" / "abc" / "memory.current").unlink()
    used = cgroup_stats.usage("/naru/abc", v2)
    assert used
    assert used.transferred == ()
    assert used.memory.usage == 0
