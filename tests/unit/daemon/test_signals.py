"""Signals end, reload and explain the engine."""

from __future__ import annotations

import asyncio
import logging
import os
import signal

import pytest

from naru.daemon import signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_term_and_int_ask_for_the_end(number: int) -> None:
    stop = asyncio.Event()
    signals.install(stop, lambda: None)
    os.kill(os.getpid(), number)
    await asyncio.wait_for(stop.wait(), 5)


async def test_hangup_reloads() -> None:
    reloaded = asyncio.Event()
    signals.install(asyncio.Event(), reloaded.set)
    os.kill(os.getpid(), signal.SIGHUP)
    await asyncio.wait_for(reloaded.wait(), 5)


async def test_usr1_tells_what_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    async def wait_for_godot() -> None:
        await asyncio.Event().wait()

    waiting = asyncio.ensure_future(wait_for_godot())
    await asyncio.sleep(0)
    signals.install(asyncio.Event(), lambda: None)
    with caplog.at_level(logging.WARNING):
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.sleep(0.1)
    assert "wait_for_godot" in caplog.text
    assert "thread MainThread" in caplog.text
    waiting.cancel()
