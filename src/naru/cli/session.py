"""One connection between the user and a process: terminal, signals, streams, sizes.

What `run`, `start -a`, `attach` and `exec` have in common.
"""

from __future__ import annotations

from naru.cli import detach_keys as keys_module
from naru.cli import terminal
from naru.cli.failure import CommandFailedError
from naru.cli.signals import SignalWatch
from naru.cli.streams import DetachedError, Plumbing
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from naru.cli.invocation import Invocation
    from naru.client.hijack import HijackedStream

    Resize = Callable[[int, int], None]

__all__ = ["DetachedError", "Session", "check_terminal", "chosen_detach_keys"]

_ATTEMPTS = 10
_PAUSE_S = 0.01


def check_terminal(invocation: Invocation, *, stdin: bool, tty: bool) -> None:
    """Refuse to give a process a terminal whose keys come from a pipe.

    Raises:
        CommandFailedError: in Docker's words.
    """
    if stdin and tty and not terminal.is_terminal(invocation.stdin):
        raise CommandFailedError("the input device is not a TTY")


def chosen_detach_keys(invocation: Invocation) -> str:
    """Return the detach keys that the user asked for, "" for the usual ones.

    Raises:
        InvalidInputError: they have no such names.
    """
    text = str(invocation.options["detach-keys"] or invocation.config.get("detachKeys") or "")
    if text:
        keys_module.parse(text)
    return text


class Session:
    """The time that the user is connected to one process.

    `forward` sends a signal on to the process (None: signals are ours), `resize` sets the size
    of the process's terminal (None: it has none, or it does not follow ours).
    """

    def __init__(
        self,
        invocation: Invocation,
        *,
        tty: bool,
        stdin: bool,
        stdout: bool = True,
        stderr: bool = True,
        forward: Callable[[int], None] | None = None,
        resize: Resize | None = None,
        detach_keys: str = "",
    ) -> None:
        self._invocation = invocation
        self._wanted = (stdin, stdout, stderr)
        self._resize = resize
        self._has_keys = tty and stdin
        self._keys = (
            keys_module.parse(detach_keys or keys_module.DEFAULT) if self._has_keys else b""
        )
        self._raw = terminal.RawMode(invocation.stdin, invocation.environ)
        self._signals = SignalWatch(
            forward=forward,
            on_resize=self.follow_size if resize else None,
            restore=self._raw.leave,
        )

    def __enter__(self) -> Self:
        self._signals.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.leave()
        self._signals.stop()

    def take_terminal(self) -> None:
        """Switch the user's terminal to raw mode if the process reads keys."""
        if self._has_keys:
            self._raw.enter()

    def give_terminal_back(self) -> None:
        """Undo `take_terminal`."""
        self._raw.leave()

    def follow_size(self) -> None:
        """Give the process's terminal the size of ours; failures do not matter."""
        measured = terminal.size(self._invocation.stdout)
        if self._resize is None or measured is None:
            return
        try:
            self._resize(*measured)
        except (NaruError, OSError):
            return

    def redraw(self) -> None:
        """Change the size of the process's terminal and set it right: programs draw anew."""
        measured = terminal.size(self._invocation.stdout)
        if self._resize is None or measured is None:
            return
        rows, columns = measured
        try:
            self._resize(rows + 1, columns + 1)
        except (NaruError, OSError):
            return
        self.follow_size()

    def set_first_size(self) -> None:
        """Give the process's terminal its first size; it may need a moment to be there."""
        measured = terminal.size(self._invocation.stdout)
        if self._resize is None or measured is None:
            return
        import time

        for attempt in range(_ATTEMPTS):
            try:
                self._resize(*measured)
            except (NaruError, OSError):
                time.sleep(_PAUSE_S * attempt)
            else:
                return
        self._invocation.complain("failed to resize tty, using default size\r")

    def pump(self, process: HijackedStream) -> None:
        """Copy the streams to their end.

        Raises:
            DetachedError: the detach keys were typed.
            NaruError: the stream is broken.
        """
        invocation = self._invocation
        invocation.stdout.flush()
        stdin, stdout, stderr = self._wanted
        Plumbing(
            process,
            stdin=invocation.stdin if stdin else None,
            stdout=invocation.stdout if stdout else None,
            stderr=invocation.stderr if stderr else None,
            detach_keys=self._keys,
            restore=self._raw.leave,
        ).run()
