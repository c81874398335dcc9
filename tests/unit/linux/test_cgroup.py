"""Control groups of both versions, on recorded trees."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.linux import cgroup


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    _write(tmp_path / "cgroup.controllers", "cpuset cpu io memory pids\n")
    group = tmp_path / "naru" / "abc"
    _write(group / "memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 2\noom_group_kill 0\n")
    _write(group / "cgroup.procs", "7\n5\n")
    _write(group / "inner" / "cgroup.procs", "9\n")
    return tmp_path


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    for tree in ("memory", "pids", "cpu,cpuacct", "systemd", "unified"):
        (tmp_path / tree).mkdir()
    (tmp_path / "cpu").symlink_to("cpu,cpuacct")
    _write(tmp_path / "unified" / "cgroup.controllers", "")
    _write(
        tmp_path / "memory" / "naru" / "abc" / "memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n",
    )
    _write(tmp_path / "pids" / "naru" / "abc" / "cgroup.procs", "11\n")
    (tmp_path / "cpu" / "naru" / "abc").mkdir(parents=True)
    return tmp_path


def test_version_is_told_by_the_root(v2: Path) -> None:
    assert cgroup.version(v2) == 2
    assert cgroup.controllers(v2) == {"cpuset", "cpu", "io", "memory", "pids"}
    assert cgroup.suits_crun(v2)
    assert cgroup.prepare(v2) == []


def test_version_1_has_a_tree_for_each_controller(v1: Path) -> None:
    assert cgroup.version(v1) == 1
    assert {"memory", "pids", "cpu", "cpuacct"} <= cgroup.controllers(v1)
    assert "unified" not in cgroup.controllers(v1)
    assert cgroup.suits_crun(v1)


def test_controllers_left_to_version_2_keep_crun_away(v1: Path) -> None:
    (v1 / "unified" / "cgroup.controllers").write_text("hugetlb misc\n")
    assert not cgroup.suits_crun(v1)


@pytest.mark.parametrize(("tree", "kills"), [("v1", 3), ("v2", 2)])
def test_oom_kills_are_counted(tree: str, kills: int, request: pytest.FixtureRequest) -> None:
    root: Path = request.getfixturevalue(tree)
    assert cgroup.oom_kills("/naru/abc", root) == kills
    assert cgroup.oom_kills("/naru/gone", root) == 0


def test_members_of_inner_groups_count(v2: Path) -> None:
    assert cgroup.pids("/naru/abc", v2) == [5, 7, 9]
    assert cgroup.pids("/naru/gone", v2) == []


def test_members_on_version_1(v1: Path) -> None:
    assert cgroup.pids("naru/abc", v1) == [11]


def test_removal_takes_the_group_out_of_every_tree(v1: Path) -> None:
    for path in v1.glob("*/naru/abc/*"):
        path.unlink()
    assert cgroup.exists("/naru/abc", v1)
    assert cgroup.remove("/naru/abc", v1)
    assert not cgroup.exists("/naru/abc", v1)
    assert cgroup.remove("/naru/abc", v1)


def test_a_group_that_cannot_go_is_told(v2: Path) -> None:
    # On a real machine a group with processes is busy; here it is not empty.
    assert not cgroup.remove("/naru/abc", v2)


@pytest.mark.parametrize("name", ["", "/", "/naru/../..", ".."])
def test_nothing_outside_is_touched(v2: Path, name: str) -> None:
    with pytest.raises(ValueError, match="names no group"):
        cgroup.remove(name, v2)


def test_the_services_own_group_is_read() -> None:
    hybrid = "5:pids:/a\n1:name=systemd:/system.slice/narud.service\n0::/b\n"
    assert cgroup.own_cgroup(1, hybrid) == "/system.slice/narud.service"
    assert cgroup.own_cgroup(2, hybrid) == "/b"
    assert cgroup.own_cgroup(2, "") == "/"
