"""The progress of pulls and loads: bars on a terminal, lines on a pipe.

Spec: docker, pkg/jsonmessage. On a terminal every id keeps its line, found again by moving the
cursor; anything without an id ends such a block.
"""

from __future__ import annotations

import os

from naru.cli.failure import CommandFailedError, with_hint
from naru.client.stream_failure import failure_in
from naru.units import print_bytes_decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TextIO

_DEFAULT_WIDTH = 200
_WIDE = 110
_BAR = 50


def show(
    records: Iterable[dict[str, Any]],
    out: TextIO,
    *,
    is_terminal: bool,
    on_aux: Callable[[Any], None] | None = None,
) -> None:
    """Print progress records as they come.

    Raises:
        CommandFailedError: a record reports an error.
    """
    screen = Screen(out, is_terminal=is_terminal)
    for record in records:
        if record.get("aux") is not None:
            if on_aux is not None:
                on_aux(record["aux"])
            continue
        screen.show(record)
        out.flush()


class Screen:
    """What has been shown so far, so that a record finds the line that it belongs to."""

    def __init__(self, out: TextIO, *, is_terminal: bool) -> None:
        self._out = out
        self._is_terminal = is_terminal
        self._lines: dict[str, int] = {}

    def show(self, record: dict[str, Any]) -> None:
        """Print one record.

        Raises:
            CommandFailedError: it reports an error.
        """
        identity = record.get("id", "")
        has_progress = record.get("progressDetail") is not None
        distance = 0
        if identity and (has_progress or record.get("progress")):
            if identity not in self._lines:
                self._lines[identity] = len(self._lines)
                if self._is_terminal:
                    self._out.write("\n")
            distance = len(self._lines) - self._lines[identity]
            if self._is_terminal and distance:
                self._out.write(f"\x1b[{distance}A")
        else:
            self._lines.clear()
        self._print(record, identity, has_progress=has_progress)
        if identity and self._is_terminal and distance:
            self._out.write(f"\x1b[{distance}B")

    def _print(self, record: dict[str, Any], identity: str, *, has_progress: bool) -> None:
        failure = failure_in(record)
        if failure is not None:
            raise CommandFailedError(with_hint(failure.message, failure.hint))
        end = ""
        bar = self._bar(record["progressDetail"]) if has_progress else ""
        stream = record.get("stream", "")
        if self._is_terminal and not stream and has_progress:
            end = "\r"
            self._out.write("\x1b[2K\r")
        elif bar:
            return
        head = f"{identity}: " if identity else ""
        status = record.get("status", "")
        if has_progress and self._is_terminal:
            self._out.write(f"{head}{status} {bar}{end}")
        elif record.get("progress") and not has_progress:
            self._out.write(f"{head}{status} {record['progress']}{end}")
        elif stream:
            self._out.write(f"{head}{stream}{end}")
        else:
            self._out.write(f"{head}{status}{end}\n")

    def _bar(self, detail: dict[str, Any]) -> str:
        current, total = detail.get("current", 0), detail.get("total", 0)
        units = detail.get("units", "")
        if current <= 0 and total <= 0:
            return ""
        if total <= 0:
            return f"{current} {units}" if units else f"{print_bytes_decimal(current):>8}"
        share = min(_BAR, int(current / total * 100) // 2)
        box = f"[{'=' * share}>{' ' * (_BAR - share)}] " if self._width() > _WIDE else ""
        if detail.get("hidecounts"):
            return box
        if units:
            return box + (f"{current} {units}" if current > total else f"{current}/{total} {units}")
        shown = f"{print_bytes_decimal(current):>8}"
        return box + (shown if current > total else f"{shown}/{print_bytes_decimal(total)}")

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self._out.fileno()).columns or _DEFAULT_WIDTH
        except (OSError, ValueError):
            return _DEFAULT_WIDTH
