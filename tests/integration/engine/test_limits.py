"""Limits: what was asked for is what the kernel enforces."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.engine import Engine


def _cgroup_file(engine: Engine, container: str, v1: str, v2: str) -> str:
    """Return what the kernel has for a container; `v1` is `controller/file`."""
    pid = engine.state(container)["Pid"]
    controller = v1.partition("/")[0]
    unified = ""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return Path(f"/sys/fs/cgroup/{controller}{path}/{v1.partition('/')[2]}").read_text()
        if not names:
            unified = path
    return Path(f"/sys/fs/cgroup{unified}/{v2}").read_text()


def test_memory_is_limited(engine: Engine) -> None:
    container = engine.up(host={"Memory": 32 << 20})
    found = _cgroup_file(engine, container, "memory/memory.limit_in_bytes", "memory.max")
    assert int(found) == 32 << 20


def test_swap_is_as_much_as_memory_unless_told(engine: Engine) -> None:
    container = engine.up(host={"Memory": 32 << 20})
    assert engine.inspect(container)["HostConfig"]["MemorySwap"] == 64 << 20
    container = engine.up(host={"Memory": 32 << 20, "MemorySwap": 48 << 20})
    assert engine.inspect(container)["HostConfig"]["MemorySwap"] == 48 << 20


def test_cpu_time_is_limited(engine: Engine) -> None:
    container = engine.up(host={"NanoCpus": 250_000_000})
    found = _cgroup_file(engine, container, "cpu/cpu.cfs_quota_us", "cpu.max")
    assert found.split()[0] == "25000"
    container = engine.up(host={"CpuQuota": 30_000, "CpuPeriod": 60_000})
    assert _cgroup_file(engine, container, "cpu/cpu.cfs_quota_us", "cpu.max").split()[0] == "30000"


def test_cpu_shares_are_set(engine: Engine) -> None:
    container = engine.up(host={"CpuShares": 512})
    found = _cgroup_file(engine, container, "cpu/cpu.shares", "cpu.weight")
    assert found.strip() in ("512", "20")


def test_cpus_can_be_chosen(engine: Engine) -> None:
    container = engine.up(host={"CpusetCpus": "0"})
    assert engine.exec(container, "nproc").out == "1\n"


def test_processes_are_limited(engine: Engine) -> None:
    container = engine.up(host={"PidsLimit": 20})
    assert _cgroup_file(engine, container, "pids/pids.max", "pids.max").strip() == "20"
    script = "i=0; while [ $i -lt 40 ]; do sleep 5 & i=$((i+1)); done"
    assert "can't fork" in engine.exec(container, "sh", "-c", script).err


@pytest.mark.parametrize("limit", [0, -1, None])
def test_no_process_limit_means_none(engine: Engine, limit: int | None) -> None:
    container = engine.up(host={"PidsLimit": limit})
    assert _cgroup_file(engine, container, "pids/pids.max", "pids.max").strip() == "max"


def test_the_out_of_memory_score_is_set(engine: Engine) -> None:
    assert engine.sh("cat /proc/self/oom_score_adj", host={"OomScoreAdj": 321}).out == "321\n"


def test_an_exec_is_limited_with_its_container(engine: Engine) -> None:
    container = engine.up(host={"Memory": 24 << 20, "MemorySwap": 24 << 20})
    done = engine.exec(container, "sh", "-c", "tail /dev/zero")
    assert done.code == 137


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ({"Memory": 1024}, "Minimum memory limit allowed is 6MB"),
        ({"Memory": 64 << 20, "MemorySwap": 32 << 20}, "should be larger than memory limit"),
        ({"MemorySwap": 64 << 20}, "You should always set the Memory limit when using Memoryswap"),
        (
            {"Memory": 32 << 20, "MemoryReservation": 64 << 20},
            "(memory reservation|Minimum memory)",
        ),
        ({"NanoCpus": 10**12}, "Range of CPUs is from 0.01 to "),
        ({"NanoCpus": 10**9, "CpuQuota": 10_000}, "Nano CPUs and CPU Quota"),
        ({"NanoCpus": 10**9, "CpuPeriod": 10_000}, "Nano CPUs and CPU Period"),
        ({"CpuPeriod": 10}, "CPU cfs period can not be less than 1ms"),
        ({"CpuQuota": 10}, "CPU cfs quota can not be less than 1ms"),
        ({"CpusetCpus": "900"}, "Requested CPUs are not available"),
        ({"CpusetCpus": "zero"}, "Invalid value zero for cpuset cpus"),
        ({"OomScoreAdj": 2000}, "Invalid value 2000, range for oom score adj is"),
        ({"ShmSize": -1}, "SHM size can not be less than 0"),
        (
            {"MemorySwappiness": 101, "Memory": 32 << 20},
            "Invalid value: 101, valid memory swappiness",
        ),
    ],
)
def test_limits_that_make_no_sense_are_refused(
    engine: Engine, host: dict[str, Any], words: str
) -> None:
    answer = engine.ask_to_create("true", host=host)
    assert answer.status == 400
    pattern = words if words.startswith("(") else re.escape(words)
    assert re.search(pattern, answer.message, re.IGNORECASE), answer.message
