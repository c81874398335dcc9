"""Every field of Resources: the kernel has what was asked for, or the answer says why not."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.engine import Engine
from harness.waiting import eventually

_M = 1 << 20
_V1 = not Path("/sys/fs/cgroup/cgroup.controllers").exists()
_HAS_REALTIME = Path("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists()
_HAS_WEIGHTS = Path("/sys/fs/cgroup/blkio/blkio.weight").exists() or bool(
    list(Path("/sys/fs/cgroup").glob("*/io.weight"))
)


def _block_device() -> tuple[str, str]:
    """Return a block device of this machine and its numbers."""
    for entry in sorted(Path("/dev").iterdir()):
        if entry.is_block_device():
            number = entry.stat().st_rdev
            return str(entry), f"{os.major(number)}:{os.minor(number)}"
    raise AssertionError("this machine has no block device")


_DEVICE, _NUMBERS = _block_device()


def _group(engine: Engine, container: str) -> dict[str, Path]:
    """Return where the kernel keeps a container's group: by controller, and "" for version 2."""
    found = {}
    for line in Path(f"/proc/{engine.state(container)['Pid']}/cgroup").read_text().splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            found[name] = Path(f"/sys/fs/cgroup/{name}{path}")
    return found


def _kernel(engine: Engine, container: str, v1: str, v2: str) -> str:
    """Return a file of a container's group; `v1` is `controller/file`."""
    controller, _, name = v1.partition("/")
    groups = _group(engine, container)
    path = groups[controller] / name if controller in groups else groups[""] / v2
    return " ".join(path.read_text().split())


@pytest.mark.parametrize(
    ("host", "v1", "v2", "expected"),
    [
        ({"Memory": 32 * _M}, "memory/memory.limit_in_bytes", "memory.max", str(32 * _M)),
        (
            {"Memory": 32 * _M},
            "memory/memory.memsw.limit_in_bytes",
            "memory.swap.max",
            f"{64 * _M}|{32 * _M}",
        ),
        (
            {"Memory": 32 * _M, "MemorySwap": 40 * _M},
            "memory/memory.memsw.limit_in_bytes",
            "memory.swap.max",
            f"{40 * _M}|{8 * _M}",
        ),
        (
            {"Memory": 32 * _M, "MemorySwap": -1},
            "memory/memory.memsw.limit_in_bytes",
            "memory.swap.max",
            r"9223372036854771712|max",
        ),
        (
            {"MemoryReservation": 20 * _M},
            "memory/memory.soft_limit_in_bytes",
            "memory.low",
            str(20 * _M),
        ),
        ({"CpuShares": 512}, "cpu/cpu.shares", "cpu.weight", "512|20"),
        ({"NanoCpus": 250_000_000}, "cpu/cpu.cfs_quota_us", "cpu.max", "25000( 100000)?"),
        ({"CpuQuota": 30_000}, "cpu/cpu.cfs_quota_us", "cpu.max", "30000( 100000)?"),
        ({"CpuQuota": -1}, "cpu/cpu.cfs_quota_us", "cpu.max", "-1|max 100000"),
        (
            {"CpuPeriod": 60_000, "CpuQuota": 30_000},
            "cpu/cpu.cfs_period_us",
            "cpu.max",
            "60000|30000 60000",
        ),
        ({"CpusetCpus": "0"}, "cpuset/cpuset.cpus", "cpuset.cpus", "0"),
        ({"CpusetMems": "0"}, "cpuset/cpuset.mems", "cpuset.mems", "0"),
        ({"PidsLimit": 25}, "pids/pids.max", "pids.max", "25"),
        ({"PidsLimit": -1}, "pids/pids.max", "pids.max", "max"),
        (
            {"BlkioDeviceReadBps": [{"Path": _DEVICE, "Rate": _M}]},
            "blkio/blkio.throttle.read_bps_device",
            "io.max",
            f"{_NUMBERS} (rbps=)?{_M}.*",
        ),
        (
            {"BlkioDeviceWriteBps": [{"Path": _DEVICE, "Rate": 2 * _M}]},
            "blkio/blkio.throttle.write_bps_device",
            "io.max",
            f"{_NUMBERS} (.*wbps=)?{2 * _M}.*",
        ),
        (
            {"BlkioDeviceReadIOps": [{"Path": _DEVICE, "Rate": 300}]},
            "blkio/blkio.throttle.read_iops_device",
            "io.max",
            f"{_NUMBERS} (.*riops=)?300.*",
        ),
        (
            {"BlkioDeviceWriteIOps": [{"Path": _DEVICE, "Rate": 400}]},
            "blkio/blkio.throttle.write_iops_device",
            "io.max",
            f"{_NUMBERS} (.*wiops=)?400.*",
        ),
    ],
)
def test_the_kernel_has_what_was_asked_for(
    engine: Engine, host: dict[str, Any], v1: str, v2: str, expected: str
) -> None:
    container = engine.up(host=host)
    assert re.fullmatch(expected, found := _kernel(engine, container, v1, v2)), found
    # And inspect shows what was asked for.
    shown = engine.inspect(container)["HostConfig"]
    for name, value in host.items():
        assert shown[name] == (None if (name, value) == ("PidsLimit", -1) else value)


def _warnings(engine: Engine, host: dict[str, Any], version: str | None = None) -> list[str]:
    answer = engine.ask_to_create(host=host, version=version).ok(201).json()
    return answer["Warnings"] or []


@pytest.mark.parametrize(
    ("host", "what"),
    [
        ({"BlkioWeight": 300}, "Block I/O weight or the cgroup is not mounted. Weight"),
        (
            {"BlkioWeightDevice": [{"Path": _DEVICE, "Weight": 300}]},
            "Block I/O weight_device or the cgroup is not mounted. Weight-device",
        ),
    ],
)
def test_weights_that_the_kernel_lacks_are_discarded_with_a_warning(
    engine: Engine, host: dict[str, Any], what: str
) -> None:
    lacking = [f"Your kernel does not support {what} discarded."]
    assert _warnings(engine, host) == ([] if _HAS_WEIGHTS else lacking)


@pytest.mark.parametrize(
    ("host", "file", "expected", "lacking"),
    [
        ({"MemorySwappiness": 0}, "memory.swappiness", "0", "memory swappiness"),
        ({"MemorySwappiness": 35}, "memory.swappiness", "35", "memory swappiness"),
        ({"OomKillDisable": True}, "memory.oom_control", "oom_kill_disable 1 .*", "OomKillDisable"),
        ({"OomKillDisable": False}, "memory.oom_control", "oom_kill_disable 0 .*", ""),
    ],
)
def test_two_of_memory_are_of_version_1_alone(
    engine: Engine, host: dict[str, Any], file: str, expected: str, lacking: str
) -> None:
    host = {"Memory": 32 * _M, **host}
    if _V1:
        found = _kernel(engine, engine.up(host=host), f"memory/{file}", "")
        assert re.fullmatch(expected, found)
    else:
        warnings = _warnings(engine, host)
        assert len(warnings) == bool(lacking)
        assert all(f"does not support {lacking}" in text for text in warnings)


@pytest.mark.naru_only
def test_real_time_is_shared_out_or_refused(engine: Engine) -> None:
    host = {"CpuRealtimePeriod": 500_000, "CpuRealtimeRuntime": 1_000}
    if not _HAS_REALTIME:
        answer = engine.ask_to_create(host=host)
        assert answer.status == 400
        assert answer.message == "Your kernel does not support CPU real-time scheduler"
        return
    first, second = engine.up(host=host), engine.up(host={"CpuRealtimeRuntime": 3_000})
    assert _kernel(engine, first, "cpu/cpu.rt_runtime_us", "") == "1000"
    assert _kernel(engine, first, "cpu/cpu.rt_period_us", "") == "500000"
    assert _kernel(engine, second, "cpu/cpu.rt_runtime_us", "") == "3000"
    parent = _group(engine, first)["cpu"].parent
    assert int((parent / "cpu.rt_runtime_us").read_text()) >= 5_000
    # Only who has a part may be scheduled so.
    os.sched_setscheduler(engine.state(first)["Pid"], os.SCHED_FIFO, os.sched_param(10))
    with pytest.raises(PermissionError):
        os.sched_setscheduler(engine.state(engine.up())["Pid"], os.SCHED_FIFO, os.sched_param(10))
    engine.api("POST", f"/containers/{second}/update", {"CpuRealtimeRuntime": 4_000}).ok(200)
    assert _kernel(engine, second, "cpu/cpu.rt_runtime_us", "") == "4000"
    answer = engine.api("POST", f"/containers/{second}/update", {"CpuRealtimeRuntime": 999_000})
    assert answer.status == 400
    assert _kernel(engine, second, "cpu/cpu.rt_runtime_us", "") == "4000"
    greedy = engine.create("true", host={"CpuRealtimeRuntime": 999_000})
    answer = engine.api("POST", f"/containers/{greedy}/start")
    assert answer.status == 400
    assert answer.message == "cpu real-time runtime of 999000 is more than the host has left"


@pytest.mark.naru_only
def test_kernel_memory_is_of_old_clients_and_old_kernels(engine: Engine) -> None:
    host = {"KernelMemory": 32 * _M}
    warning = (
        "Your kernel does not support kernel memory limit capabilities or the cgroup is not "
        "mounted. Limitation discarded."
    )
    assert _warnings(engine, host, version="1.41") == [warning]
    assert _warnings(engine, host, version="1.42") == []


@pytest.mark.naru_only
def test_options_of_windows_are_ignored_with_a_warning(engine: Engine) -> None:
    host = {"CpuCount": 1, "CpuPercent": 5, "IOMaximumIOps": 7, "IOMaximumBandwidth": 9}
    assert [text.partition(" ")[0] for text in _warnings(engine, host)] == list(host)


def test_device_rules_are_in_force(engine: Engine) -> None:
    script = "mknod /fuse c 10 229 && : < /fuse"
    assert engine.sh(script).code != 0
    host = {"DeviceCgroupRules": ["c 10:229 rm"]}
    assert "not permitted" not in engine.sh(script, host=host).err
    assert "not permitted" in engine.sh(f"{script} && : > /fuse", host=host).err


def test_a_parent_of_ones_own(engine: Engine) -> None:
    default = _group(engine, engine.up())["memory" if _V1 else ""].parent
    # Below the usual one, so that it is cleaned up with it.
    name = f"{default.relative_to('/sys/fs/cgroup/memory' if _V1 else '/sys/fs/cgroup')}/inner"
    # Docker takes a relative one from the group that the engine itself is in.
    for parent in (f"/{name}", f"/{name}/", *([name] if engine.is_naru else [])):
        container = engine.up(host={"CgroupParent": parent})
        assert _group(engine, container)["memory" if _V1 else ""] == default / "inner" / container
        answer = engine.api("GET", f"/containers/{container}/top").ok(200).json()
        assert len(answer["Processes"]) == 1
        stats = engine.api("GET", f"/containers/{container}/stats", query={"stream": False})
        assert stats.json()["pids_stats"]["current"] == 1
        engine.remove(container)
    root = Path("/sys/fs/cgroup")
    for tree in root.iterdir() if _V1 else [root]:
        eventually(partial(_rmdir, tree / name), f"{tree / name} is empty")


def _rmdir(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@pytest.mark.naru_only
@pytest.mark.parametrize(
    ("parent", "words"),
    [
        ("../../etc", "invalid cgroup-parent"),
        ("machine.slice", "cgroup-parent machine.slice is a slice of systemd"),
    ],
)
def test_a_parent_that_is_none_is_refused(engine: Engine, parent: str, words: str) -> None:
    answer = engine.ask_to_create(host={"CgroupParent": parent})
    assert answer.status == 400
    assert words in answer.message


@pytest.mark.parametrize(("mode", "is_hidden"), [("private", True), ("host", False)])
def test_the_namespace_of_groups_hides_where_they_are(
    engine: Engine, mode: str, is_hidden: bool
) -> None:
    done = engine.run("cat", "/proc/self/cgroup", host={"CgroupnsMode": mode})
    # In version 2, and in a namespace of its own, the group is the root.
    assert (done.id in done.out) != is_hidden
    assert engine.inspect(done.id)["HostConfig"]["CgroupnsMode"] == mode


def test_a_layer_is_limited_where_the_file_system_can(engine: Engine) -> None:
    host = {"StorageOpt": {"size": "20M"}}
    answer = engine.ask_to_create(host=host)
    if answer.status == 201:
        engine.remove(answer.json()["Id"])
        done = engine.sh("dd if=/dev/zero of=/big bs=1M count=30; stat -c %s /big", host=host)
        assert "No space left on device" in done.err
        assert 10 << 20 < int(done.out) <= 20 << 20
    else:
        assert "--storage-opt is supported only for" in answer.message


@pytest.mark.naru_only
@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"bogus": "1"}, "Unknown option bogus"),
        ({"size": "many"}, "invalid size: 'many'"),
        ({"size": "0"}, "invalid size: '0'"),
    ],
)
def test_other_storage_options_are_none(engine: Engine, option: dict[str, str], words: str) -> None:
    answer = engine.ask_to_create(host={"StorageOpt": option})
    assert (answer.status, answer.message) == (400, words)
