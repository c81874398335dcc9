"""A process's streams and ours: keys and pipes in, output out, until one side has enough.

Input is copied by a thread of its own, so that neither direction can hold up the other.
"""

from __future__ import annotations

import _thread
import os
import select

from naru.cli.detach_keys import KeyWatch
from naru.cli.failure import CommandFailedError
from naru.client.hijack import STDOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from naru.client.hijack import HijackedStream

_CHUNK = 1 << 16
_STDERR = 2


class DetachedError(Exception):
    """The user typed the detach keys."""


class Plumbing:
    """Connects the streams of one process with ours.

    `stdin`, `stdout`, `stderr` are ours, None where nothing is attached; `detach_keys` are looked
    for in the input unless they are empty. `restore` puts the terminal back; it is called as
    soon as either side has ended.
    """

    def __init__(
        self,
        process: HijackedStream,
        *,
        stdin: TextIO | None,
        stdout: TextIO | None,
        stderr: TextIO | None,
        detach_keys: bytes,
        restore: Callable[[], None],
    ) -> None:
        self._process = process
        self._stdin = stdin
        self._stdout = stdout
        self._stderr = stderr
        self._watch = KeyWatch(detach_keys)
        self._restore = restore
        self._is_detached = False
        self._input_done = _thread.allocate_lock()
        self._input_done.acquire()

    def run(self) -> None:
        """Copy until the output ends, or, with no output attached, until the input does.

        Raises:
            DetachedError: the detach keys were typed.
            NaruError: the stream is broken.
            BrokenPipeError: nobody reads our output any more.
        """
        _thread.start_new_thread(self._copy_input, ())
        try:
            if self._stdout is None and self._stderr is None:
                self._input_done.acquire()
            else:
                self._copy_output()
        finally:
            self._restore()
            self._process.close()
        if self._is_detached:
            raise DetachedError

    def _copy_output(self) -> None:
        for stream, data in self._process.output():
            target = self._stdout if stream == STDOUT else self._stderr
            if target is not None:
                write_all(target.fileno(), data)

    def _copy_input(self) -> None:
        try:
            if self._stdin is not None:
                self._send(self._stdin.fileno())
            if not self._is_detached:
                self._process.close_input()
        except (OSError, ValueError):
            # The process has gone; its output says the rest.
            pass
        finally:
            self._input_done.release()

    def _send(self, descriptor: int) -> None:
        while data := read_some(descriptor):
            data, is_complete = self._watch.feed(data)
            if data:
                self._process.write(data)
            if is_complete:
                self._is_detached = True
                self._process.abort()
                return
        if held := self._watch.rest():
            self._process.write(held)


def read_some(descriptor: int) -> bytes:
    """Read what is there, waiting for it; b"" at the end, also that of a closed terminal."""
    while True:
        try:
            return os.read(descriptor, _CHUNK)
        except BlockingIOError:
            select.select([descriptor], [], [])


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, also where somebody made the descriptor non-blocking.

    Raises:
        BrokenPipeError: nobody reads any more.
        CommandFailedError: it cannot be written, as onto a full disk.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            select.select([], [descriptor], [])
        except BrokenPipeError:
            raise
        except OSError as error:
            name = "stderr" if descriptor == _STDERR else "stdout"
            reason = (error.strerror or str(error)).lower()
            raise CommandFailedError(f"write /dev/{name}: {reason}") from error
