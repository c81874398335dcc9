"""Tasks have owners, steps are finished, locks are forgotten."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from naru.aio import (
    Backlog,
    KeyedLock,
    KeyedThreadLock,
    LoopThread,
    ReaderGoneError,
    TaskSet,
    all_or_first_failure,
    ended,
    in_own_thread,
    in_thread,
    pieces_of_thread,
    uncancelled,
)
from naru.errors import FaultError


async def test_work_in_a_thread_does_not_stop_the_loop() -> None:
    has_ticked = threading.Event()

    async def tick() -> None:
        for _ in range(3):
            await asyncio.sleep(0.005)
        has_ticked.set()

    def slow() -> int:
        assert has_ticked.wait(30)
        return threading.get_ident()

    ticker = asyncio.ensure_future(tick())
    assert await in_thread(slow) != threading.get_ident()
    await ticker


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


async def test_the_first_of_several_failures_is_raised_and_the_others_are_no_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tasks = TaskSet("test")

    async def fails(words: str) -> None:
        raise FaultError(words)

    started = [tasks.start(fails(words), reports_failure=False) for words in "abc"]
    await ended(*started)
    with pytest.raises(FaultError, match=r"^a$"):
        await all_or_first_failure(started)
    await all_or_first_failure([])
    del started
    gc.collect()
    assert not caplog.records


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


async def test_pieces_of_a_thread_come_in_order_and_then_its_failure() -> None:
    def work(write: Callable[[bytes], None]) -> None:
        for number in range(20):
            write(b"%d" % number)
        raise ZeroDivisionError

    pieces = pieces_of_thread(work)
    for number in range(20):
        assert await anext(pieces) == b"%d" % number
    with pytest.raises(ZeroDivisionError):
        await anext(pieces)


async def test_a_thread_waits_for_a_slow_reader() -> None:
    written = 0

    def work(write: Callable[[bytes], None]) -> None:
        nonlocal written
        for _ in range(100):
            write(b"x")
            written += 1

    async with contextlib.aclosing(pieces_of_thread(work)) as pieces:
        assert await anext(pieces) == b"x"
        await asyncio.sleep(0.1)
        assert 0 < written < 10


async def test_a_thread_whose_reader_goes_has_ended_when_it_is_gone() -> None:
    ended = threading.Event()

    def work(write: Callable[[bytes], None]) -> None:
        try:
            while True:
                write(b"x")
        finally:
            ended.set()

    async with contextlib.aclosing(pieces_of_thread(work)) as pieces:
        async for _ in pieces:
            break
    assert ended.is_set()


async def test_a_thread_that_writes_on_after_its_reader_went_is_no_trouble() -> None:
    def work(write: Callable[[bytes], None]) -> None:
        for _ in range(50):
            with contextlib.suppress(ReaderGoneError):
                write(b"x")

    async with contextlib.aclosing(pieces_of_thread(work)) as pieces:
        await anext(pieces)


async def test_many_slow_readers_leave_threads_to_others() -> None:
    def work(write: Callable[[bytes], None]) -> None:
        for _ in range(20):
            write(b"x")

    streams = [pieces_of_thread(work) for _ in range(50)]
    for stream in streams:
        assert await anext(stream) == b"x"
    assert await in_thread(lambda: 1) == 1
    for stream in streams:
        await stream.aclose()


def test_threads_with_one_key_take_turns_and_others_go_on() -> None:
    locks = KeyedThreadLock()
    order: list[str] = []
    other_is_through = threading.Event()

    def hold(key: str, word: str) -> None:
        with locks.hold(key):
            order.append(f"{word} in")
            if key == "a":
                assert other_is_through.wait(30)
            order.append(f"{word} out")
        if key == "b":
            other_is_through.set()

    threads = [
        threading.Thread(target=hold, args=words)
        for words in (("a", "first"), ("a", "second"), ("b", "other"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    of_a = [word for word in order if "other" not in word]
    assert [word.split()[1] for word in of_a] == ["in", "out", "in", "out"]
    assert of_a[0].split()[0] == of_a[1].split()[0]
    assert not locks._locks


def test_backlog_does_everything_in_turn_in_spite_of_failures(
    caplog: pytest.LogCaptureFixture,
) -> None:
    backlog = Backlog("tidying")
    done: list[int] = []
    may_go_on = threading.Event()
    backlog.add(lambda: may_go_on.wait(30))
    for number in range(3):
        backlog.add(partial(done.append, number))
        backlog.add(lambda: 1 // 0)
    assert done == []
    may_go_on.set()
    backlog.settle()
    assert done == [0, 1, 2]
    assert caplog.text.count("tidying failed") == 3
    backlog.close()


def test_backlog_lets_what_can_wait_wait_until_somebody_needs_it() -> None:
    backlog = Backlog("tidying")
    done: list[str] = []
    began = time.monotonic()
    backlog.add(lambda: done.append("later"), delay_s=60)
    backlog.settle()
    assert done == ["later"]
    assert time.monotonic() - began < 60
    has_ended = threading.Event()
    began = time.monotonic()
    backlog.add(has_ended.set, delay_s=0.2)
    assert has_ended.wait(30)
    assert time.monotonic() - began >= 0.2
    backlog.add(lambda: done.append("never"), delay_s=30)
    backlog.close()
    assert done == ["later"]


def test_closed_backlog_forgets_what_has_not_begun_and_takes_no_more() -> None:
    backlog = Backlog("tidying")
    done: list[str] = []
    has_begun, may_end = threading.Event(), threading.Event()

    def first() -> None:
        has_begun.set()
        may_end.wait(30)
        done.append("first")

    backlog.add(first)
    backlog.add(lambda: done.append("second"))
    assert has_begun.wait(30)
    threading.Timer(0.05, may_end.set).start()
    backlog.close()
    backlog.add(lambda: done.append("third"))
    backlog.settle()
    backlog.close()
    assert done == ["first"]


def test_a_loop_in_a_thread_does_what_it_is_asked_and_ends_with_the_last() -> None:
    thread, done = LoopThread("test"), []

    async def end() -> None:
        await asyncio.sleep(0)
        done.append("end")

    thread.start()
    thread.call(lambda: done.append("call"))
    assert thread.ask(lambda: threading.current_thread().name) == "test"
    with pytest.raises(ZeroDivisionError):
        thread.ask(lambda: 1 // 0)
    thread.close(end)
    thread.close(end)
    assert done == ["call", "end"]
    with pytest.raises(RuntimeError, match="has ended"):
        thread.ask(lambda: None)


def test_nobody_waits_for_ever_for_a_loop_that_ends() -> None:
    async def end() -> None:
        pass

    for _ in range(20):
        thread, ended = LoopThread("test"), threading.Event()
        thread.start()

        def ask_on(thread: LoopThread = thread, ended: threading.Event = ended) -> None:
            with contextlib.suppress(RuntimeError):
                while True:
                    thread.ask(lambda: None)
            ended.set()

        threading.Thread(target=ask_on, daemon=True).start()
        thread.close(end)
        assert ended.wait(10)


async def test_who_is_cancelled_does_not_wait_for_a_thread_of_its_own() -> None:
    goes_on = threading.Event()
    task = asyncio.ensure_future(in_own_thread(goes_on.wait, 30))
    await asyncio.sleep(0.05)
    began = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert time.monotonic() - began < 10
    goes_on.set()
