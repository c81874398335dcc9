"""asyncio and threads, as Naru uses them: the only place that makes tasks and sends work off."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
import time
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
    Sequence,
)
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

_log = logging.getLogger(__name__)
P = ParamSpec("P")
T = TypeVar("T")

# Kernel calls, hashing and file trees release the GIL, so more threads than cores pay off:
# twenty containers starting at once each hold one for a few milliseconds.
_executor = ThreadPoolExecutor(max_workers=32, thread_name_prefix="naru")


async def in_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run blocking work off the loop. A cancelled caller does not stop the thread."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_executor, lambda: function(*args, **kwargs))


async def in_own_thread(function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Do as `in_thread` does, in a thread made for it: for work that waits for a client.

    Clients that send nothing for hours must not use up the threads that all others share.
    """
    loop = asyncio.get_running_loop()
    # As a context manager it would have a caller that is cancelled wait for the thread, and the
    # loop with it.
    thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="naru-client")
    future = loop.run_in_executor(thread, lambda: function(*args, **kwargs))
    thread.shutdown(wait=False)
    return await future


async def uncancelled(work: Awaitable[T]) -> T:
    """Finish `work` even if the caller is cancelled; the cancellation is raised afterwards.

    For steps that must not be left half done, such as putting a container's resources back.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not task.done():
            await asyncio.wait([task])
        if not task.cancelled() and (error := task.exception()):
            # Nobody else will hear of it.
            _log.info("failed after its caller had gone: %s", error)
        raise


_PIECES_AHEAD = 4


class ReaderGoneError(Exception):
    """Nobody reads what a thread writes; nothing is wrong with the thread."""


async def pieces_of_thread(
    work: Callable[[Callable[[bytes], None]], None],
) -> AsyncGenerator[bytes]:
    """Run blocking `work` in a thread of its own and yield the pieces that it writes.

    For answers as long as a tree is large: the thread waits for a slow reader, and nobody else
    does. What `work` raises is raised after its last piece. When the reader goes, `work` finds
    that it cannot write, and has ended when the generator is closed.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
    room = threading.Semaphore(_PIECES_AHEAD)
    failures: list[Exception] = []
    is_read = True

    def write(piece: bytes) -> None:
        room.acquire()
        if not is_read:
            # For the next try, by a writer that does not give up.
            room.release()
            raise ReaderGoneError
        loop.call_soon_threadsafe(pieces.put_nowait, piece)

    def run() -> None:
        try:
            work(write)
        except Exception as error:  # noqa: BLE001 - raised below, where the reader is
            failures.append(error)
        finally:
            # The loop may have ended before: then nobody waits for the end.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(pieces.put_nowait, None)

    threading.Thread(target=run, name="naru-pieces", daemon=True).start()
    is_whole = False
    try:
        while (piece := await pieces.get()) is not None:
            yield piece
            room.release()
        is_whole = True
    finally:
        if not is_whole:
            is_read = False
            room.release()
            await uncancelled(_drained(pieces))
    if failures:
        raise failures[0]


async def _drained(pieces: asyncio.Queue[bytes | None]) -> None:
    while await pieces.get() is not None:
        pass


class TaskSet:
    """Background work with an owner: every task ends when the owner closes.

    A task that fails is logged; it never takes another one down.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(
        self, work: Coroutine[Any, Any, T], *, name: str = "", reports_failure: bool = True
    ) -> asyncio.Task[T]:
        """Run `work` until it ends or the set closes.

        A failure is logged, unless `reports_failure` is off because somebody awaits the task, or
        another one that failed first.
        """
        task = asyncio.get_running_loop().create_task(work, name=f"{self._name}:{name}")
        self._tasks.add(task)
        task.add_done_callback(functools.partial(self._ended, reports_failure=reports_failure))
        return task

    def _ended(self, task: asyncio.Task[Any], *, reports_failure: bool) -> None:
        self._tasks.discard(task)
        # Asked for in any case: asyncio logs what nobody asked for.
        if not task.cancelled() and (error := task.exception()) and reports_failure:
            _log.error("%s failed", task.get_name(), exc_info=error)

    def cancel(self) -> None:
        """Cancel what still runs, without waiting for its end."""
        for task in list(self._tasks):
            task.cancel()

    async def close(self) -> None:
        """Cancel what still runs and wait for its end."""
        tasks = list(self._tasks)
        self.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def all_or_first_failure(tasks: Sequence[asyncio.Task[Any]]) -> None:
    """Wait until all have ended, or one has failed: its failure is raised, the others go on."""
    if not tasks:
        return
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    for task in tasks:
        if task in done:
            task.result()


async def ended(*tasks: asyncio.Task[Any]) -> None:
    """Wait until all have ended, however they do."""
    await asyncio.wait(tasks)


class LoopThread:
    """A thread with a loop of its own, for work that requests must not wait for, nor it for them.

    thread = LoopThread("name")
    thread.start()
    thread.call(step)        # some time soon, from any thread
    thread.ask(step)         # now: waits for what it returns
    thread.close(end)        # `end` is the last that is done in the loop
    """

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._guard = threading.Lock()
        self._last: Coroutine[Any, Any, None] | None = None
        self._is_over = False

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def call(self, step: Callable[[], object]) -> None:
        """Have `step` done in the loop, in the order of the calls. From any thread.

        Raises:
            RuntimeError: the loop has ended.
        """
        with self._guard:
            if self._is_over:
                raise RuntimeError(f"the loop of {self._thread.name} has ended")
            self._loop.call_soon_threadsafe(step)

    def ask(self, step: Callable[[], T]) -> T:
        """Do `step` in the loop and return what it returns. Blocks; from any other thread.

        Raises:
            RuntimeError: the loop has ended.
            Exception: what `step` raises.
        """
        answer: Future[T] = Future()

        def run() -> None:
            try:
                answer.set_result(step())
            except Exception as error:  # noqa: BLE001 - raised where it was asked for
                answer.set_exception(error)

        self.call(run)
        return answer.result()

    def close(self, end: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `end` in the loop, then end the thread. Blocks. Idempotent."""
        if not self._thread.is_alive():
            return
        self.call(lambda: self._finish(end()))
        self._thread.join()

    def _finish(self, end: Coroutine[Any, Any, None]) -> None:
        self._last = end
        self._loop.stop()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            if self._last is not None:
                self._loop.run_until_complete(self._last)
        finally:
            with self._guard:
                self._is_over = True
            # What was taken on is done, or whoever asked for it would wait for ever.
            self._loop.call_soon(self._loop.stop)
            self._loop.run_forever()
            self._loop.close()


class Backlog:
    """Blocking work that nobody waits for, done in turn in a thread of its own.

    What is left when the process dies is not done. A failure is logged.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._is_urgent = threading.Event()
        self._is_closed = False

    def add(self, work: Callable[[], object], *, delay_s: float = 0.0) -> None:
        """Do `work` when all before it is done; not at all once closed. From any thread.

        It begins no sooner than after `delay_s`, unless somebody waits with `settle`.
        """
        due = time.monotonic() + delay_s
        with contextlib.suppress(RuntimeError):
            self._thread.submit(self._do, work, due)

    def _do(self, work: Callable[[], object], due: float) -> None:
        self._is_urgent.wait(max(0.0, due - time.monotonic()))
        if self._is_closed:
            return
        try:
            work()
        except Exception:  # noqa: BLE001 - nobody else will hear of it
            _log.exception("%s failed", self._name)

    def settle(self) -> None:
        """Wait until all that was added is done. Blocks."""
        self._is_urgent.set()
        with contextlib.suppress(RuntimeError):
            self._thread.submit(lambda: None).result()
        if not self._is_closed:
            self._is_urgent.clear()

    def close(self) -> None:
        """Finish what has begun, and forget the rest. Blocks. Idempotent."""
        self._is_closed = True
        self._is_urgent.set()
        self._thread.shutdown(wait=True, cancel_futures=True)


class KeyedLock:
    """One lock per key, made on first use and forgotten when nobody holds or awaits it."""

    def __init__(self) -> None:
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}

    @contextlib.asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Hold the lock of `key` for the length of the block."""
        lock, users = self._locks.get(key) or (asyncio.Lock(), 0)
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            _, users = self._locks[key]
            if users == 1:
                del self._locks[key]
            else:
                self._locks[key] = (lock, users - 1)


class KeyedThreadLock:
    """`KeyedLock` for threads: one lock per key, forgotten when nobody holds or awaits it."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def hold(self, key: str) -> Iterator[None]:
        """Hold the lock of `key` for the length of the block. Not to be nested."""
        with self._guard:
            lock, users = self._locks.get(key) or (threading.Lock(), 0)
            self._locks[key] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                _, users = self._locks[key]
                if users == 1:
                    del self._locks[key]
                else:
                    self._locks[key] = (lock, users - 1)
