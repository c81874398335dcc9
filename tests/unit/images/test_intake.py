"""Chunks from the loop to a thread, and what happens when either side gives up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from naru.errors import CorruptDataError
from naru.images.layers.intake import read_in_thread
from naru.images.layers.pipe import Pipe


async def chunks(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def read_all(pipe: Pipe) -> bytes:
    result = b""
    while piece := pipe.read(1 << 20):
        result += piece
    return result


@pytest.mark.parametrize("size", [1, 1000, 65_536, 700_000, 1 << 20])
async def test_everything_arrives(size: int) -> None:
    pieces = [bytes([n]) * size for n in range(99)]
    assert await read_in_thread(chunks(*pieces), read_all) == b"".join(pieces)


async def test_failure_of_the_work_is_raised_and_stops_the_reading() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 1
            yield bytes(1 << 20)

    def work(pipe: Pipe) -> None:
        pipe.read(1)
        raise CorruptDataError("no tar")

    with pytest.raises(CorruptDataError, match="no tar"):
        await read_in_thread(endless(), work)
    assert sent < 100


async def test_failure_of_the_source_is_raised_after_the_work_ended() -> None:
    seen: list[Exception] = []

    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ConnectionResetError("client gone")

    def work(pipe: Pipe) -> None:
        try:
            read_all(pipe)
        except Exception as error:
            seen.append(error)
            raise

    with pytest.raises(ConnectionResetError):
        await read_in_thread(broken(), work)
    assert len(seen) == 1


async def test_cancelling_ends_the_work_first() -> None:
    begun, ended = asyncio.Event(), False
    loop = asyncio.get_running_loop()

    async def stalled() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(60)

    def work(pipe: Pipe) -> None:
        nonlocal ended
        loop.call_soon_threadsafe(begun.set)
        try:
            read_all(pipe)
        finally:
            ended = True

    task = asyncio.ensure_future(read_in_thread(stalled(), work))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended
