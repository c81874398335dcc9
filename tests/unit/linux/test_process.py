"""Programs: started, waited for, given up, and reaped."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import uvloop

from harness.waiting import eventually_async
from naru.aio import in_thread
from naru.errors import ToolFailedError
from naru.linux import process


async def test_output_and_input_are_bytes_of_any_length() -> None:
    data = os.urandom(3_000_000)
    completed = await process.run(["sh", "-c", "cat; echo done >&2"], stdin=data)
    assert completed.stdout == data
    assert completed.stderr == b"done\n"


async def test_a_failure_quotes_the_program() -> None:
    with pytest.raises(ToolFailedError) as caught:
        await process.run(["sh", "-c", "echo bad >&2; exit 4"])
    assert (caught.value.status, caught.value.stderr) == (4, "bad")
    completed = await process.run(["sh", "-c", "exit 4"], check=False)
    assert completed.status == 4


async def test_a_signal_is_a_negative_status() -> None:
    assert (await process.run(["sh", "-c", "kill -9 $$"], check=False)).status == -9


@pytest.mark.parametrize(("program", "status"), [("nosuch-program", 127), ("/etc/hostname", 126)])
async def test_a_program_that_cannot_be_started(program: str, status: int) -> None:
    with pytest.raises(ToolFailedError) as caught:
        await process.run([program])
    assert caught.value.status == status


async def test_a_program_that_takes_too_long_is_killed_and_reaped(others: set[int]) -> None:
    begun = time.monotonic()
    with pytest.raises(ToolFailedError, match="timed out"):
        await process.run(["sleep", "60"], timeout=0.05)
    with pytest.raises(ToolFailedError, match="timed out"):
        await in_thread(process.run_blocking, ["sleep", "60"], timeout=0.05)
    assert time.monotonic() - begun < 5
    assert _children() <= others


async def test_a_cancelled_run_leaves_no_process(others: set[int]) -> None:
    task = asyncio.ensure_future(process.run(["sleep", "60"]))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert _children() <= others


async def test_a_grandchild_that_keeps_the_streams_delays_nobody() -> None:
    begun = time.monotonic()
    completed = await process.run(["sh", "-c", "sleep 60 & echo $!"])
    assert time.monotonic() - begun < 30
    os.kill(int(completed.stdout), signal.SIGKILL)


async def test_a_child_gets_only_the_descriptors_it_is_given() -> None:
    stray = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(stray, True)
    reader, writer = os.pipe()
    try:
        completed = await process.run(["ls", "/proc/self/fd"], pass_fds=[writer])
    finally:
        for descriptor in (stray, reader, writer):
            os.close(descriptor)
    numbers = {int(word) for word in completed.stdout.split()}
    assert writer in numbers
    assert stray not in numbers
    # ls itself opens one more.
    assert len(numbers) == 5


async def test_signals_are_as_at_the_start_of_the_world() -> None:
    assert signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN
    completed = await process.run(["grep", "Sig[IB]", "/proc/self/status"])
    blocked, ignored = (int(line.split()[1], 16) for line in completed.stdout.splitlines())
    assert blocked == 0
    assert not ignored >> (signal.SIGPIPE - 1) & 1


async def test_directory_environment_and_session_are_the_callers_choice(tmp_path: Path) -> None:
    out = process.memory_file()
    child = process.spawn(
        ["sh", "-c", "pwd; echo $A-$HOME; cut -d' ' -f6 /proc/$$/stat; echo $$"],
        env={"A": "b", "PATH": os.environ["PATH"]},
        stdout=out,
        cwd=tmp_path,
        new_session=True,
    )
    assert await child.wait() == 0
    assert await child.wait() == 0
    lines = process.read_memory_file(out).decode().split("\n")
    os.close(out)
    assert lines[:2] == [str(tmp_path), "b-"]
    assert lines[2] == lines[3]


async def test_watched_children_are_reaped_without_a_waiter(others: set[int]) -> None:
    child = process.spawn(["true"])
    child.watch()
    await eventually_async(lambda: _children() <= others, "it is reaped")
    child.kill()


def test_everything_works_on_uvloop_and_on_threads(others: set[int]) -> None:
    async def many() -> list[bytes]:
        loops = [process.run(["echo", str(n)]) for n in range(20)]
        threads = [in_thread(process.run_blocking, ["echo", str(n)]) for n in range(20)]
        return [c.stdout for c in await asyncio.gather(*loops, *threads)]

    wanted = [b"%d\n" % n for n in range(20)]
    assert uvloop.run(many()) == wanted * 2
    assert _children() <= others


def test_processes_are_told_apart_by_their_start() -> None:
    started = process.start_time(os.getpid())
    assert started
    assert process.is_alive(os.getpid(), started)
    assert not process.is_alive(os.getpid(), started + 1)
    assert process.start_time(4_194_303) is None
    assert process.parent_of(os.getpid()) == os.getppid()
    assert process.parent_of(4_194_303) is None
    assert process.name_of(4_194_303) == ""


def test_a_group_is_killed_and_its_monitor_is_not() -> None:
    shell = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert shell.stdout is not None
    child = int(shell.stdout.readline())
    started = process.start_time(shell.pid)
    assert started
    process.kill_group(shell.pid, started + 1, monitor=0)
    assert process.is_alive(shell.pid, started)
    child_started = process.start_time(child)
    assert child_started
    # The shell leads the group: if it were the monitor, only the child itself would go.
    process.kill_group(child, child_started, monitor=shell.pid)
    assert shell.wait(10) == 0
    process.kill_group(shell.pid, started, monitor=0)
    shell.stdout.close()


def test_all_of_a_group_are_killed() -> None:
    shell = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"], stdout=subprocess.PIPE, start_new_session=True
    )
    assert shell.stdout is not None
    child = int(shell.stdout.readline())
    started = process.start_time(child)
    assert started
    process.kill_group(child, started, monitor=0)
    assert shell.wait(10) == -signal.SIGKILL
    shell.stdout.close()


@pytest.fixture
def others() -> set[int]:
    """Give the children that this process has for other reasons, such as a shared engine."""
    return _children()


def _children() -> set[int]:
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    return {pid for pid in pids if process.parent_of(pid) == os.getpid()}
