"""From an HTTP body to a thread that reads it: chunks on the loop, a blocking stream beyond it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from naru.aio import TaskSet, ended, in_own_thread, in_thread, uncancelled
from naru.images.layers.pipe import Pipe, PipeClosedError

T = TypeVar("T")

# A hand-over costs as much as hashing 50 KiB, joining as much as copying: chunks of a good size go
# over as they are, several at once.
_BATCH = 1 << 20
_GOOD_SIZE = 64 << 10


async def read_in_thread(
    chunks: AsyncIterator[bytes], work: Callable[[Pipe], T], pipe: Pipe | None = None
) -> T:
    """Run `work` in a thread with the chunks as its stream, and return its result.

    When the source of the chunks fails or the caller is cancelled, `work` finds its stream
    broken, and has ended when this returns. Once `work` has failed, no more chunks are read.
    Whoever passes the `pipe` can break the stream from outside.

    Raises:
        Exception: whatever the source or else `work` raises.
    """
    pipe = pipe or Pipe()
    results: list[T] = []
    failures: list[Exception] = []

    def guarded() -> None:
        try:
            results.append(work(pipe))
        except Exception as error:  # noqa: BLE001 - raised below, where the caller waits
            failures.append(error)
        finally:
            pipe.abandon()

    tasks = TaskSet("intake")
    working = tasks.start(in_own_thread(guarded))
    feeding = tasks.start(_feed(chunks, pipe), reports_failure=False)
    try:
        # A sender that stalls must not keep what has failed from being told.
        await asyncio.wait([working, feeding], return_when=asyncio.FIRST_COMPLETED)
    finally:
        feeding.cancel()
        # The thread writes to the store: it must not outlive this call.
        await uncancelled(ended(working, feeding))
    if not feeding.cancelled():
        feeding.result()
    if failures:
        raise failures[0]
    return results[0]


async def _feed(chunks: AsyncIterator[bytes], pipe: Pipe) -> None:
    failure: BaseException | None = ConnectionAbortedError("the sender is gone")
    try:
        async for batch in _batches(chunks):
            if not pipe.try_put(*batch):
                await in_thread(pipe.put, *batch)
        failure = None
    except PipeClosedError:
        # The work has ended; its result tells more.
        return
    except Exception as error:
        failure = error
        raise
    finally:
        pipe.end(failure)


async def _batches(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """Gather chunks, and join small ones."""
    batch: list[bytes] = []
    small: list[bytes] = []
    size = small_size = 0
    async for chunk in chunks:
        size += len(chunk)
        small.append(chunk)
        small_size += len(chunk)
        if small_size >= _GOOD_SIZE:
            batch.append(b"".join(small))
            small, small_size = [], 0
        if size >= _BATCH:
            yield [*batch, b"".join(small)]
            batch, small = [], []
            size = small_size = 0
    yield [*batch, b"".join(small)]
