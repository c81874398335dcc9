"""Notices of memory that runs out, on a recorded tree of version 2."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from naru.linux.cgroup_oom import OomNotices


@pytest.fixture
def v2(tmp_path: Path) -> Path:
    (tmp_path / "cgroup.controllers").write_text("memory\n")
    for name in ("one", "two"):
        (tmp_path / "naru" / name).mkdir(parents=True)
        (tmp_path / "naru" / name / "memory.events").write_text("oom_kill 0\n")
    return tmp_path


class _Heard:
    """The groups that notices came for."""

    def __init__(self) -> None:
        self.groups: list[str] = []
        self.any = asyncio.Event()

    def __call__(self, group: str) -> None:
        self.groups.append(group)
        self.any.set()


@pytest.fixture
async def heard() -> _Heard:
    return _Heard()


@pytest.fixture
async def notices(v2: Path, heard: _Heard) -> AsyncIterator[OomNotices]:
    found = OomNotices(heard, v2)
    yield found
    found.close()


async def test_a_change_of_its_events_is_a_groups_notice(
    v2: Path, notices: OomNotices, heard: _Heard
) -> None:
    notices.add("/naru/one")
    notices.add("/naru/two")
    (v2 / "naru" / "two" / "memory.events").write_text("oom_kill 1\n")
    async with asyncio.timeout(10):
        await heard.any.wait()
    assert set(heard.groups) == {"/naru/two"}


async def test_nobody_hears_of_a_group_that_was_let_go(
    v2: Path, notices: OomNotices, heard: _Heard
) -> None:
    notices.add("/naru/one")
    notices.add("/naru/two")
    notices.remove("/naru/one")
    notices.remove("/naru/one")
    (v2 / "naru" / "one" / "memory.events").write_text("oom_kill 1\n")
    (v2 / "naru" / "two" / "memory.events").write_text("oom_kill 1\n")
    async with asyncio.timeout(10):
        await heard.any.wait()
    assert set(heard.groups) == {"/naru/two"}


async def test_a_group_that_is_gone_has_no_notices(notices: OomNotices) -> None:
    with pytest.raises(OSError, match="No such file"):
        notices.add("/naru/gone")
