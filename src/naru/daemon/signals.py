"""What signals mean to the engine: TERM and INT end it, HUP reloads, USR1 shows what it does."""

from __future__ import annotations

import asyncio
import io
import logging
import signal
import sys
import threading
import traceback
from collections.abc import Callable

_log = logging.getLogger(__name__)


def install(stop: asyncio.Event, reload: Callable[[], None]) -> None:
    """Set `stop` on TERM or INT, call `reload` on HUP, dump tasks and threads on USR1.

    A second TERM or INT changes nothing: the end is under way, and it is bounded in time.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload)
    loop.add_signal_handler(signal.SIGUSR1, dump)


def dump() -> None:
    """Write what every task and thread waits for to the log."""
    text = io.StringIO()
    for task in asyncio.all_tasks():
        text.write(f"task {task.get_name()}\n")
        for frame in task.get_stack():
            text.writelines(traceback.format_stack(frame, limit=1))
    frames = sys._current_frames()  # noqa: SLF001 -- its only name
    for thread in threading.enumerate():
        text.write(f"thread {thread.name}\n")
        if thread.ident in frames:
            text.writelines(traceback.format_stack(frames[thread.ident]))
    _log.warning("asked by SIGUSR1:\n%s", text.getvalue())
