"""The user's terminal: raw mode that is always undone, its size, and whether there is one."""

from __future__ import annotations

import os
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TextIO

_IFLAG, _OFLAG, _CFLAG, _LFLAG, _CC = 0, 1, 2, 3, 6


def is_terminal(stream: TextIO) -> bool:
    """Say whether a stream is a terminal."""
    try:
        return stream.isatty()
    except ValueError:
        return False


def size(stream: TextIO) -> tuple[int, int] | None:
    """Return rows and columns of a stream's terminal; None when it has none to tell."""
    try:
        columns, rows = os.get_terminal_size(stream.fileno())
    except (OSError, ValueError):
        return None
    return (rows, columns) if rows or columns else None


def ask(stdin: TextIO, stdout: TextIO, question: str, *, is_secret: bool = False) -> str:
    """Ask the user at the terminal; a secret is not shown while it is typed."""
    stdout.write(question)
    stdout.flush()
    if not is_secret:
        return stdin.readline().removesuffix("\n")
    saved = termios.tcgetattr(stdin.fileno())
    quiet = [*saved[:_CC], list(saved[_CC])]
    quiet[_LFLAG] &= ~termios.ECHO
    termios.tcsetattr(stdin.fileno(), termios.TCSADRAIN, quiet)
    try:
        return stdin.readline().removesuffix("\n")
    finally:
        termios.tcsetattr(stdin.fileno(), termios.TCSADRAIN, saved)
        stdout.write("\n")
        stdout.flush()


class RawMode:
    """Hands keys over as they are typed, from `enter` to `leave`, which may be called often."""

    def __init__(self, stream: TextIO, environ: Mapping[str, str]) -> None:
        self._stream = stream
        self._is_wanted = not environ.get("NORAW") and is_terminal(stream)
        self._saved: list[Any] | None = None

    def enter(self) -> None:
        """Switch the terminal to raw mode; nothing happens without a terminal."""
        if not self._is_wanted:
            return
        saved = termios.tcgetattr(self._stream.fileno())
        raw = [*saved[:_CC], list(saved[_CC])]
        raw[_IFLAG] &= ~(
            termios.IGNBRK
            | termios.BRKINT
            | termios.PARMRK
            | termios.ISTRIP
            | termios.INLCR
            | termios.IGNCR
            | termios.ICRNL
            | termios.IXON
        )
        raw[_OFLAG] &= ~termios.OPOST
        raw[_LFLAG] &= ~(
            termios.ECHO | termios.ECHONL | termios.ICANON | termios.ISIG | termios.IEXTEN
        )
        raw[_CFLAG] = (raw[_CFLAG] & ~(termios.CSIZE | termios.PARENB)) | termios.CS8
        raw[_CC][termios.VMIN], raw[_CC][termios.VTIME] = 1, 0
        self._saved = saved
        termios.tcsetattr(self._stream.fileno(), termios.TCSANOW, raw)

    def leave(self) -> None:
        """Put the terminal back as it was found."""
        saved, self._saved = self._saved, None
        if saved is None:
            return
        try:
            termios.tcsetattr(self._stream.fileno(), termios.TCSANOW, saved)
        except (termios.error, ValueError, OSError):
            # The terminal has gone: nothing is left to put back.
            return
