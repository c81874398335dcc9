"""Tasks have owners, steps are finished, locks are forgotten."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import pytest

from naru.aio import KeyedLock, TaskSet, in_thread, uncancelled


async def test_work_in_a_thread_does_not_stop_the_loop() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0.005)

    ticker = asyncio.ensure_future(tick())
    assert await in_thread(lambda: time.sleep(0.1) or threading.get_ident()) != (
        threading.get_ident()
    )
    ticker.cancel()
    assert ticks > 3


async def test_what_a_thread_raises_arrives() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0)


async def test_uncancelled_work_is_finished_before_the_cancellation_goes_on() -> None:
    done = []

    async def work() -> None:
        await asyncio.sleep(0.05)
        done.append("whole")

    task = asyncio.ensure_future(uncancelled(work()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["whole"]


async def test_a_task_that_fails_is_logged_and_takes_nobody_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = TaskSet("test")
    finished = asyncio.Event()

    async def fail() -> None:
        raise ValueError("on purpose")

    async def go_on() -> None:
        await asyncio.sleep(0.01)
        finished.set()

    with caplog.at_level(logging.ERROR):
        tasks.start(fail(), name="failing")
        tasks.start(go_on())
        await asyncio.wait_for(finished.wait(), 5)
    assert "test:failing" in caplog.text
    await tasks.close()


async def test_closing_ends_every_task() -> None:
    tasks = TaskSet("test")
    running = [tasks.start(asyncio.sleep(1000)) for _ in range(3)]
    await asyncio.sleep(0)
    await tasks.close()
    assert all(task.cancelled() for task in running)


async def test_a_key_is_held_by_one_and_others_do_not_wait() -> None:
    locks = KeyedLock()
    order = []

    async def hold(key: str, word: str) -> None:
        async with locks.hold(key):
            order.append(f"{word} in")
            await asyncio.sleep(0.01)
            order.append(f"{word} out")

    await asyncio.gather(hold("a", "first"), hold("a", "second"), hold("b", "other"))
    assert order.index("first out") < order.index("second in")
    assert order.index("other in") < order.index("first out")


async def test_a_lock_is_forgotten_after_its_last_user() -> None:
    locks = KeyedLock()
    with pytest.raises(ValueError, match="x"):
        async with locks.hold("a"):
            raise ValueError("x")
    assert not locks._locks
