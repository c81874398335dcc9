"""What signals mean to the engine: TERM and INT end it, USR1 shows what it is doing."""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import signal
import sys

_log = logging.getLogger(__name__)


def install(stop: asyncio.Event) -> None:
    """Set `stop` on TERM or INT, and dump tasks and threads to standard error on USR1."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, _dump)
    loop.add_signal_handler(signal.SIGHUP, _note_hangup)


def _dump() -> None:
    for task in asyncio.all_tasks():
        task.print_stack(file=sys.stderr)
    faulthandler.dump_traceback(file=sys.stderr, all_threads=True)


def _note_hangup() -> None:
    _log.info("SIGHUP changes nothing: the configuration is read at the start only")
