"""Logs of real containers: followed, rotated under full load, read from the end."""

from __future__ import annotations

import asyncio
import signal
import time
from pathlib import Path

import pytest

from harness.waiting import eventually_async
from naru.errors import ConflictError
from naru.runtime import log_file
from naru.runtime.log_file import LogQuery
from naru.runtime.log_keeping import KeptLog, LogKeeper
from naru.runtime.log_lines import Framing
from naru.runtime.log_rotation import rotate

from .conftest import Workshop, monitored

_LINES = 300_000


async def test_nothing_is_lost_or_split_when_a_full_speed_log_is_rotated(
    workshop: Workshop,
) -> None:
    script = f"read x; seq {_LINES} & seq {_LINES} >&2; wait; head -c 100000 /dev/zero"
    bundle = await workshop.create("sh", "-c", script, open_stdin=True)
    path = workshop.log_path(bundle)
    ended = workshop.future(bundle.path.name)
    counts = {1: 0, 2: 0}
    tail: dict[int, bytes] = {}

    async def follow() -> None:
        async for record in log_file.records(path, LogQuery(follow=True), stopped=ended.done):
            if record.data.startswith(b"\0"):
                tail[record.stream] = record.data
                continue
            counts[record.stream] += 1
            assert record.data == b"%d\n" % counts[record.stream]

    connection = await workshop.attach(bundle)
    await workshop.start(bundle)
    follower = asyncio.ensure_future(follow())
    await connection.write(b"go\n")
    connection.close()
    rotations = 0
    while not ended.done():
        try:
            await rotate(bundle, path, 50)
        except ConflictError:
            break
        rotations += 1
        await asyncio.sleep(0.02)
    await asyncio.wait_for(follower, 60)
    assert counts == {1: _LINES, 2: _LINES}
    assert tail == {1: bytes(100_000)}
    assert rotations
    # Reading again, from the files alone, gives the same.
    lines = 0
    async for record in log_file.records(path):
        lines += not record.data.startswith(b"\0")
    assert lines == 2 * _LINES


async def test_the_keeper_keeps_logs_bounded(workshop: Workshop) -> None:
    bundle = await workshop.create("yes", "a line of some forty bytes for the log, no more")
    path = workshop.log_path(bundle)
    keeper = LogKeeper()
    keeper.start()
    log = KeptLog(bundle, path, 1_000_000, 3)
    await keeper.keep(bundle.path.name, log)
    await workshop.start(bundle)
    await eventually_async(path.with_name(f"{path.name}.1").exists, "it is rotated")
    await asyncio.sleep(0.3)
    assert not path.with_name(f"{path.name}.3").exists()
    await workshop.runtime.kill(bundle.path.name, signal.SIGKILL)
    await workshop.wait(bundle)
    await keeper.ended(bundle.path.name, log)
    files = list(path.parent.glob(f"{path.name}*"))
    assert sum(file.stat().st_blocks * 512 for file in files) <= 3_000_000 + 4096 * len(files)
    await keeper.close()


async def test_one_file_alone_is_kept_when_one_is_asked_for(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "echo before; read x; echo after", open_stdin=True)
    path = workshop.log_path(bundle)
    connection = await workshop.attach(bundle)
    await workshop.start(bundle)
    assert await connection.read() == (1, b"before\n")
    await rotate(bundle, path, 1)
    await connection.write(b"\n")
    await workshop.wait(bundle)
    connection.close()
    assert [r.data async for r in log_file.records(path)] == [b"after\n"]
    assert [p.name for p in path.parent.glob(f"{path.name}*")] == [path.name]


async def test_rotation_goes_on_where_a_killed_engine_left_it(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "echo one; read x; echo two", open_stdin=True)
    path = workshop.log_path(bundle)
    connection = await workshop.attach(bundle)
    await workshop.start(bundle)
    await connection.read()
    path.rename(path.with_name(f"{path.name}.1"))
    assert [r.data async for r in log_file.records(path)] == [b"one\n"]
    await rotate(bundle, path, 3)
    await connection.write(b"\n")
    await workshop.wait(bundle)
    connection.close()
    assert [r.data async for r in log_file.records(path)] == [b"one\n", b"two\n"]


async def test_an_ended_containers_log_is_not_rotated(workshop: Workshop) -> None:
    bundle = await workshop.create("echo", "x")
    await workshop.start(bundle)
    await workshop.wait(bundle)
    await eventually_async(lambda: not monitored(bundle), "its conmon has ended")
    with pytest.raises(ConflictError):
        await rotate(bundle, workshop.log_path(bundle), 3)


async def test_following_ends_soon_after_the_container(workshop: Workshop) -> None:
    bundle = await workshop.create("sh", "-c", "echo hello; sleep 0.3")
    ended = workshop.future(bundle.path.name)
    await workshop.start(bundle)
    blocks = [
        block
        async for block in log_file.framed(
            workshop.log_path(bundle), LogQuery(follow=True), Framing(raw=True), stopped=ended.done
        )
    ]
    end = await workshop.wait(bundle)
    assert b"".join(blocks) == b"hello\n"
    assert time.time_ns() - end.finished_ns < 200_000_000


async def test_a_follower_waits_for_a_log_that_is_not_there_yet(tmp_path: Path) -> None:
    path = tmp_path / "container.log"
    is_over = False
    got: list[bytes] = []

    async def follow() -> None:
        query, framing = LogQuery(follow=True), Framing(raw=True)
        got.extend(
            [b async for b in log_file.framed(path, query, framing, stopped=lambda: is_over)]
        )

    task = asyncio.ensure_future(follow())
    await asyncio.sleep(0.1)
    path.write_bytes(b"2026-01-02T03:04:05.000000001+00:00 stdout F late\n")
    await asyncio.sleep(0.1)
    is_over = True
    await asyncio.wait_for(task, 30)
    assert got == [b"late\n"]
