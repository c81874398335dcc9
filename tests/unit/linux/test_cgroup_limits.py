"""Limits that are taken away, and shares of real-time, on recorded trees of both versions."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.errors import InvalidInputError
from naru.linux import cgroup_limits

_GROUP = "/naru/abc"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    for name, text in {
        "memory/naru/abc/memory.memsw.limit_in_bytes": "200",
        "memory/naru/abc/memory.limit_in_bytes": "100",
        "cpu/naru/abc/cpu.cfs_quota_us": "5000",
        "cpu/naru/abc/cpu.shares": "77",
        "cpuset/naru/cpuset.cpus": "0-3",
        "cpuset/naru/abc/cpuset.cpus": "1",
        "pids/naru/abc/pids.max": "7",
    }.items():
        _write(tmp_path / name, text)
    return tmp_path


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    _write(tmp_path / "cgroup.controllers", "cpuset cpu io memory pids\n")
    for name in ("memory.max", "memory.swap.max", "cpu.max", "cpu.weight", "cpuset.cpus"):
        _write(tmp_path / "naru" / "abc" / name, "1")
    _write(tmp_path / "naru" / "abc" / "pids.max", "7")
    return tmp_path


def test_version_1_is_told_in_its_words(v1: Path) -> None:
    every = {"memory.swap", "memory.limit", "cpu.quota", "cpu.shares", "cpu.cpus", "pids.limit"}
    cgroup_limits.lift(_GROUP, every, v1)
    found = {
        str(path.relative_to(v1)): path.read_text()
        for path in v1.rglob("*")
        if path.is_file() and "abc" in path.parts
    }
    assert found == {
        "memory/naru/abc/memory.memsw.limit_in_bytes": "-1",
        "memory/naru/abc/memory.limit_in_bytes": "-1",
        "cpu/naru/abc/cpu.cfs_quota_us": "-1",
        "cpu/naru/abc/cpu.shares": "1024",
        "cpuset/naru/abc/cpuset.cpus": "0-3",
        "pids/naru/abc/pids.max": "max",
    }


def test_version_2_is_told_in_its_words(v2: Path) -> None:
    cgroup_limits.lift(_GROUP, {"memory.swap", "memory.limit", "cpu.quota", "cpu.shares"}, v2)
    group = v2 / "naru" / "abc"
    assert (group / "memory.max").read_text() == "max"
    assert (group / "memory.swap.max").read_text() == "max"
    assert (group / "cpu.max").read_text() == "max"
    assert (group / "cpu.weight").read_text() == "100"
    assert (group / "pids.max").read_text() == "7"


@pytest.mark.parametrize("tree", ["v1", "v2"])
def test_what_the_kernel_does_not_have_is_not_made(
    tree: str, request: pytest.FixtureRequest
) -> None:
    root: Path = request.getfixturevalue(tree)
    before = sorted(root.rglob("*"))
    cgroup_limits.lift(_GROUP, {"memory.reservation", "cpu.realtimeRuntime", "cpu.mems"}, root)
    assert sorted(root.rglob("*")) == before


@pytest.fixture
def realtime(tmp_path: Path) -> Path:
    def group(path: str, runtime: int, period: int = 1_000_000) -> None:
        _write(tmp_path / "cpu" / path / "cpu.rt_runtime_us", str(runtime))
        _write(tmp_path / "cpu" / path / "cpu.rt_period_us", str(period))

    group("", 950_000)
    group("naru", 0)
    group("naru/one", 30_000)
    group("naru/two", 10_000, 500_000)
    group("naru/abc", 0)
    return tmp_path


def _runtime(root: Path, group: str) -> int:
    return int((root / "cpu" / group / "cpu.rt_runtime_us").read_text())


def test_the_group_above_gets_what_all_below_it_need(realtime: Path) -> None:
    cgroup_limits.provide_realtime(_GROUP, 20_000, 200_000, realtime)
    # 0.03 and 0.02 of the others, and 0.1.
    assert _runtime(realtime, "naru") == 150_000
    assert _runtime(realtime, "naru/abc") == 20_000
    assert int((realtime / "cpu/naru/abc/cpu.rt_period_us").read_text()) == 200_000
    assert _runtime(realtime, "naru/one") == 30_000


def test_a_group_that_has_enough_keeps_it(realtime: Path) -> None:
    (realtime / "cpu/naru/cpu.rt_runtime_us").write_text("900000")
    cgroup_limits.provide_realtime(_GROUP, 20_000, 0, realtime)
    assert _runtime(realtime, "naru") == 900_000
    assert _runtime(realtime, "naru/abc") == 20_000


def test_a_machine_without_the_files_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "cpu").mkdir()
    with pytest.raises(InvalidInputError, match="more than the host has left"):
        cgroup_limits.provide_realtime(_GROUP, 20_000, 0, tmp_path)
