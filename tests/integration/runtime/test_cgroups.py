"""Control groups of this machine: mounted where crun needs them, left where it is dangerous."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.waiting import eventually_async
from naru.linux import cgroup, mount, process

_SERVICE = "runtime-tests-service"


@pytest.fixture
def service() -> Iterator[Path]:
    """Give a group in the tree that service managers use."""
    tree = cgroup.ROOT if cgroup.version() == 2 else cgroup.ROOT / "systemd"
    group = tree / _SERVICE
    group.mkdir()
    yield group
    group.rmdir()
    monitors = tree / "naru-monitors"
    if monitors.exists():
        monitors.rmdir()


async def test_monitors_leave_the_group_that_a_service_manager_kills(service: Path) -> None:
    script = (
        "import sys, time\n"
        "from naru.linux import cgroup, process\n"
        f"open('{service}/cgroup.procs', 'w').write('0')\n"
        "child = process.spawn(['sleep', '60'])\n"
        "cgroup.leave_service(child.pid)\n"
        "print(child.pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    engine = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, stdout=asyncio.subprocess.PIPE
    )
    assert engine.stdout
    child = int(await engine.stdout.readline())
    try:
        members = (service / "cgroup.procs").read_text().split()
        assert str(engine.pid) in members
        assert str(child) not in members
        assert process.start_time(child)
    finally:
        engine.kill()
        await engine.wait()
        os.kill(child, 9)
        await eventually_async(lambda: process.start_time(child) is None, "it has ended")


@pytest.mark.skipif(cgroup.version() == 2, reason="version 2 needs no preparation")
def test_a_controller_left_to_version_2_gets_a_tree_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "unified").mkdir()
    (tmp_path / "freezer").mkdir()
    # Mounted elsewhere already, so that the machine is as it was afterwards.
    (tmp_path / "unified" / "cgroup.controllers").write_text("freezer nosuch\n")
    try:
        messages = cgroup.prepare(tmp_path)
        assert messages[0] == "mounted the cgroup v1 controller freezer for crun"
        assert messages[1].startswith("cannot mount the cgroup v1 controller nosuch: ")
        assert (tmp_path / "freezer" / "cgroup.procs").exists()
    finally:
        mount.unmount(tmp_path / "freezer")


def test_this_machine_suits_crun_once_it_is_prepared() -> None:
    cgroup.prepare()
    assert cgroup.suits_crun()
    assert cgroup.prepare() == []
