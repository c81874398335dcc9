"""Exit files: reported once each, whole, and kept until they are forgotten."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from naru.clock import SystemClock
from naru.ids import new_id
from naru.linux.fs import write_atomic
from naru.runtime.bundle import Monitored
from naru.runtime.exits import UNKNOWN_EXIT_CODE, ContainerExit, ExitWatcher


@pytest.fixture
async def watcher(tmp_path: Path) -> ExitWatcher:
    return ExitWatcher(tmp_path, SystemClock())


async def test_exits_from_before_are_reported_at_the_start(
    tmp_path: Path, watcher: ExitWatcher
) -> None:
    name = new_id()
    (tmp_path / "exits").mkdir()
    write_atomic(tmp_path / "exits" / name, "3")
    seen: list[ContainerExit] = []
    watcher.start(seen.append)
    assert [(end.id, end.exit_code) for end in seen] == [(name, 3)]
    await asyncio.sleep(0.05)
    watcher.scan()
    assert len(seen) == 1
    watcher.forget(name)
    assert watcher.take(name) is None
    watcher.close()


async def test_each_exit_is_reported_once_as_it_comes(tmp_path: Path, watcher: ExitWatcher) -> None:
    seen: list[ContainerExit] = []
    watcher.start(seen.append)
    names = [new_id() for _ in range(50)]
    for number, name in enumerate(names):
        write_atomic(tmp_path / "exits" / name, str(number))
    (tmp_path / "exits" / "stranger").write_text("1")
    (tmp_path / "exits" / f"{new_id()}.A1B2C3").write_text("1")
    await asyncio.sleep(0.1)
    assert [(end.id, end.exit_code) for end in seen] == list(zip(names, range(50), strict=True))
    watcher.close()
    watcher.close()


async def test_a_code_that_conmon_does_not_know_is_the_unknown_one(
    tmp_path: Path, watcher: ExitWatcher
) -> None:
    seen: list[ContainerExit] = []
    watcher.start(seen.append)
    write_atomic(tmp_path / "exits" / new_id(), "-1")
    await asyncio.sleep(0.05)
    assert [end.exit_code for end in seen] == [UNKNOWN_EXIT_CODE]
    watcher.close()


async def test_processes_that_are_gone_without_an_exit_file_are_reported(
    tmp_path: Path, watcher: ExitWatcher
) -> None:
    seen: list[ContainerExit] = []
    watcher.start(seen.append)
    name = new_id()
    monitored = Monitored(tmp_path / "c" / name)
    monitored.path.mkdir(parents=True)
    monitored.processes_file.write_text("4194303 5 4194302 5\n")
    assert not watcher.watch(name)
    await asyncio.sleep(0.05)
    assert [(end.id, end.exit_code) for end in seen] == [(name, UNKNOWN_EXIT_CODE)]
    watcher.close()


async def test_exec_exits_come_from_their_own_directories(
    tmp_path: Path, watcher: ExitWatcher
) -> None:
    seen: list[ContainerExit] = []
    watcher.start(seen.append)
    early, late = new_id(), new_id()
    for name in (early, late):
        (tmp_path / "x" / name).mkdir(parents=True)
        (tmp_path / "x" / name / "processes").write_text(f"{os.getpid()} 1 {os.getpid()} 1")
    write_atomic(tmp_path / "x" / early / "exit", "4")
    assert not watcher.watch_exec(early)
    assert [(end.id, end.exit_code) for end in seen] == [(early, 4)]
    watcher.forget(early)
    watcher.watch_exec(late)
    write_atomic(tmp_path / "x" / late / "exit", "5")
    await asyncio.sleep(0.05)
    assert seen[-1].id == late
    watcher.forget(late)
    watcher.close()


async def test_nothing_is_known_of_a_container_that_runs(
    tmp_path: Path, watcher: ExitWatcher
) -> None:
    watcher.start(lambda _: None)
    assert watcher.take(new_id()) is None
    assert not watcher.watch(new_id())
    watcher.close()
