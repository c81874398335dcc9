"""What signals do while a command is connected to a process: forward, resize, restore, leave.

Signals arrive through a descriptor that a thread reads, so that they are acted on while the main
thread waits in the kernel for the process's output.
"""

from __future__ import annotations

import _thread
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
else:
    # What lies beneath `signal`, without the 6 ms that its enums cost.
    import _signal as signal

_ENOUGH = 3
_ENDING = (signal.SIGINT, signal.SIGTERM)
_ALSO_ENDING = (signal.SIGHUP, signal.SIGQUIT)
# Everything that others may send us on purpose. Not: what cannot be caught, what the kernel sends
# for our own faults, our children's and pipes' signals, and those of terminal job control for
# reading and writing in the background, which must stop us.
_FORWARDED = (
    *_ENDING,
    *_ALSO_ENDING,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGALRM,
    signal.SIGCONT,
    signal.SIGTSTP,
    signal.SIGXCPU,
    signal.SIGXFSZ,
    signal.SIGVTALRM,
    signal.SIGPROF,
    signal.SIGIO,
    signal.SIGPWR,
    *range(signal.SIGRTMIN, signal.SIGRTMAX + 1),
)


class SignalWatch:
    """Acts on signals from `start` to `stop`.

    `forward` gets every signal that a process may be sent (None: signals end this command, as
    they would without us). `on_resize` is called when the terminal's size changed. `restore`
    puts the terminal back before the command is ended by a signal.
    """

    def __init__(
        self,
        *,
        forward: Callable[[int], None] | None,
        on_resize: Callable[[], None] | None,
        restore: Callable[[], None],
    ) -> None:
        self._forward = forward
        self._on_resize = on_resize
        self._restore = restore
        self._previous: list[tuple[int, object]] = []
        self._endings = 0

    def start(self) -> None:
        """Begin to watch."""
        self._read_end, self._write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._write_end, False)
        watched = set(_FORWARDED if self._forward else (*_ENDING, *_ALSO_ENDING))
        if self._on_resize or self._forward:
            watched.add(signal.SIGWINCH)
        for number in watched:
            if signal.getsignal(number) != signal.SIG_IGN or self._forward:
                self._previous.append((number, signal.signal(number, _do_nothing)))
        self._old_wakeup = signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        _thread.start_new_thread(self._watch, ())

    def stop(self) -> None:
        """Put everything back that `start` changed."""
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._previous:
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal() returned
        self._previous.clear()
        os.close(self._write_end)

    def _watch(self) -> None:
        while numbers := os.read(self._read_end, 64):
            for number in numbers:
                self._act(number)
        os.close(self._read_end)

    def _act(self, number: int) -> None:
        if number == signal.SIGWINCH and self._on_resize:
            self._on_resize()
        if self._forward is None:
            if number != signal.SIGWINCH:
                self._restore()
                os._exit(128 + number)
            return
        if number in _ENDING:
            self._endings += 1
            if self._endings == _ENOUGH:
                self._restore()
                text = "\ngot 3 SIGTERM/SIGINTs, forcefully exiting\n"
                os.write(2, text.encode())
                os._exit(1)
        self._forward(number)


def _do_nothing(_number: int, _frame: object) -> None:
    """Keep a signal from ending us: the thread acts on it."""
