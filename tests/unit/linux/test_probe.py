"""What is found on this machine, and which runtime is chosen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naru.errors import NotSupportedError
from naru.linux import probe
from naru.specgen.facts import ToolBuild

_BOTH = {"crun": "/usr/bin/crun", "runc": "/usr/bin/runc"}


@pytest.mark.parametrize(
    ("installed", "suits", "chosen"),
    [
        (_BOTH, True, "crun"),
        (_BOTH, False, "runc"),
        ({"crun": "/c"}, False, "crun"),
        ({"runc": "/r"}, True, "runc"),
    ],
)
def test_crun_where_it_works_else_runc(installed: dict[str, str], suits: bool, chosen: str) -> None:
    assert probe.default_runtime(installed, crun_suits=suits) == chosen


def test_no_runtime_is_an_error_with_advice() -> None:
    with pytest.raises(NotSupportedError) as caught:
        probe.default_runtime({}, crun_suits=True)
    assert "crun" in caught.value.hint


def test_facts_hold_what_this_process_has(tmp_path: Path) -> None:
    facts = probe.host_facts(tmp_path)
    assert facts.cpus == len(os.sched_getaffinity(0))
    assert facts.kernel_version == os.uname().release
    assert facts.kernel > (3, 0)
    assert facts.rlimits["nofile"] > 0
    assert facts.memory > 1 << 20
    assert facts.backing_filesystem
    assert facts.cgroup_version in (1, 2)
    assert 0 in facts.cpuset_mems


def test_devices_are_found_alone_and_by_directory() -> None:
    (null,) = probe.device_nodes("/dev/null")
    assert (null.path, null.type, null.major, null.minor) == ("/dev/null", "c", 1, 3)
    everything = probe.device_nodes("/dev")
    assert null in everything
    assert not any(node.path.startswith("/dev/pts/") for node in everything)
    assert probe.device_nodes("/dev/nosuch") == ()
    assert [node.type for node in probe.device_nodes("/etc/hostname")] == [""]


def test_a_link_to_a_device_is_that_device_under_its_own_name(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/dev/zero")
    (node,) = probe.device_nodes(str(link))
    assert (node.path, node.minor) == (str(link), 5)


def test_programs_are_found_outside_a_short_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert probe.find_program("nosuch-program", "sh")
    assert probe.find_program("nosuch-program") == ""


@pytest.mark.parametrize(
    ("text", "version", "commit"),
    [
        ("crun version 1.8.1\ncommit: f8a096be\nrundir: /run/crun\n", "1.8.1", "f8a096be"),
        ("runc version 1.1.5+ds1\ncommit: 1.1.5-1\nspec: 1.0.2\n", "1.1.5+ds1", "1.1.5-1"),
        ("conmon version 2.1.6\ncommit: unknown\n", "2.1.6", ""),
        ("tini version 0.19.0 - git.de40ad0\n", "0.19.0", "de40ad0"),
        ("tini version 0.19.0\n", "0.19.0", ""),
        ("something else\n", "", ""),
    ],
)
def test_tools_say_what_they_were_built_from(text: str, version: str, commit: str) -> None:
    assert probe.parse_build(text) == ToolBuild(version, commit)
