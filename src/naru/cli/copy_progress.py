"""How much `cp` has copied: counted on a terminal while it goes, and told in the end.

Spec: docker/cli, container/cp.go.
"""

from __future__ import annotations

import time

from naru.cli import human

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self, TextIO

_PAUSE_S = 0.075
_SAVE, _RESTORE, _HIDE, _SHOW = "\x1b[s", "\x1b[u", "\x1b[?25l", "\x1b[?25h"
_ERASE_LINE, _ERASE_REST = "\x1b[2K", "\x1b[0K"


class CopyProgress:
    """The progress of one copy, for a `with` block; silent if `is_quiet`."""

    def __init__(self, out: TextIO, header: str, *, is_quiet: bool) -> None:
        self._out = out
        self._header = header
        self._is_quiet = is_quiet
        self._is_shown = not is_quiet and out.isatty()
        self._total = 0
        self._last = 0.0

    def __enter__(self) -> Self:
        if self._is_shown:
            self._write(f"{_SAVE}{_HIDE}{self._header}{human.size(0)}")
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the pieces, counting them."""
        for piece in pieces:
            self.add(len(piece))
            yield piece

    def reader(self, pieces: Iterable[bytes]) -> CountingReader:
        """Return the pieces as a stream, counting what is read."""
        return CountingReader(self.counted(pieces))

    def add(self, count: int) -> None:
        """Take note of `count` more bytes."""
        self._total += count
        if self._is_shown and (now := time.monotonic()) - self._last >= _PAUSE_S:
            self._last = now
            column = len(self._header) + 1
            self._write(f"\x1b[{column}G{_ERASE_REST}{human.size(self._total)}")

    def done(self, destination: str) -> None:
        """Tell that all went well."""
        self._clear()
        if not self._is_quiet:
            self._write(f"Successfully copied {human.size(self._total)} to {destination}\n")

    def _clear(self) -> None:
        if self._is_shown:
            self._is_shown = False
            self._write(f"{_SHOW}{_RESTORE}{_ERASE_LINE}")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


class CountingReader:
    """A stream of pieces, read in any sizes."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes; nothing at the end."""
        if not self._rest:
            self._rest = next(self._pieces, b"")
        piece, self._rest = self._rest[:size], self._rest[size:]
        return piece
