"""Containers' files that are open for copies."""

from __future__ import annotations

import asyncio

import pytest

from naru.engine.live import open_files
from naru.engine.live.open_files import Hold, OpenFiles
from naru.errors import ConflictError, NaruError
from naru.runtime.file_view import ContainerFiles


class _Files(ContainerFiles):
    """Files that count how often they are closed."""

    def __init__(self) -> None:
        self.closed = 0

    def close(self) -> None:
        self.closed += 1


class _Opener:
    """Opens files, and remembers them."""

    def __init__(self) -> None:
        self.made: list[_Files] = []

    async def __call__(self) -> ContainerFiles:
        await asyncio.sleep(0)
        self.made.append(_Files())
        return self.made[-1]


async def _nothing(reason: NaruError) -> None:
    """Break nothing off."""


async def test_copies_share_one_view_until_the_last_ends() -> None:
    files, opener = OpenFiles(), _Opener()
    first = await files.take("c", opener, _nothing)
    second = await files.take("c", opener, _nothing)
    assert first.files is second.files
    await first.release()
    await first.release()
    assert opener.made[0].closed == 0
    await second.release()
    assert opener.made[0].closed == 1
    third = await files.take("c", opener, _nothing)
    assert third.files is opener.made[1]
    await third.release()


async def test_a_view_is_never_closed_under_one_who_has_just_come() -> None:
    files, opener = OpenFiles(), _Opener()
    lock = asyncio.Lock()

    async def copy() -> None:
        async with lock:
            hold = await files.take("c", opener, _nothing)
        await asyncio.sleep(0)
        assert isinstance(hold.files, _Files)
        assert hold.files.closed == 0
        await hold.release()

    for _ in range(50):
        await asyncio.gather(*(copy() for _ in range(8)))
    assert all(made.closed == 1 for made in opener.made)
    await files.settle("c")


async def test_a_start_waits_for_copies() -> None:
    files, opener = OpenFiles(), _Opener()
    hold = await files.take("c", opener, _nothing)
    waiting = asyncio.ensure_future(files.settle("c"))
    await asyncio.sleep(0.01)
    assert not waiting.done()
    await hold.release()
    await waiting
    assert opener.made[0].closed == 1


async def test_a_copy_that_takes_too_long_is_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_files, "_PATIENCE_S", 0.01)
    files, reasons = OpenFiles(), list[NaruError]()
    holds: list[Hold] = []

    async def break_off(reason: NaruError) -> None:
        reasons.append(reason)
        await holds[0].release()

    holds.append(await files.take("c", _Opener(), break_off))
    await files.settle("c")
    assert isinstance(reasons[0], ConflictError)


async def test_a_caller_that_goes_while_files_are_opened_leaves_none_open() -> None:
    files, made = OpenFiles(), _Files()
    may_open = asyncio.Event()

    async def opener() -> ContainerFiles:
        await may_open.wait()
        return made

    taking = asyncio.ensure_future(files.take("c", opener, _nothing))
    await asyncio.sleep(0)
    taking.cancel()
    may_open.set()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert made.closed == 1
    await files.settle("c")


async def test_what_cannot_be_opened_is_not_kept() -> None:
    files = OpenFiles()

    async def opener() -> ContainerFiles:
        raise ConflictError("no")

    with pytest.raises(ConflictError):
        await files.take("c", opener, _nothing)
    await files.settle("c")
