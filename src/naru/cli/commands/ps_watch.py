"""`ps --watch`: the table again and again, on a terminal in place, elsewhere at each change."""

from __future__ import annotations

import time

from naru.cli import terminal
from naru.cli.failure import CommandFailedError
from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TextIO

    from naru.cli.invocation import Invocation

    # The containers, and the table that shows them.
    Look = Callable[[], tuple[list[dict[str, Any]], str]]

_SHORTEST = 10**8
_CLEAR = "\x1b[H\x1b[2J"
_HOME, _END_OF_LINE, _BELOW = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(invocation: Invocation, interval: str, look: Look) -> int:
    """Show the table until Ctrl-C.

    Raises:
        CommandFailedError: the interval is no duration, or too short.
    """
    from naru.units import parse_duration

    try:
        interval_ns = parse_duration(interval)
    except InvalidInputError as error:
        raise CommandFailedError(f"invalid --watch: {error.message}", 125) from error
    if interval_ns < _SHORTEST:
        raise CommandFailedError("invalid --watch: it takes 100ms or more", 125)
    show = _on_terminal if terminal.is_terminal(invocation.stdout) else _on_pipe
    try:
        show(invocation.stdout, interval_ns / 10**9, look)
    except KeyboardInterrupt:
        # That is how it ends. The terminal has shown the key: the prompt gets its own line.
        if show is _on_terminal:
            invocation.stdout.write("\n")
    return 0


def _on_terminal(out: TextIO, interval_s: float, look: Look) -> None:
    out.write(_CLEAR)
    while True:
        out.write(screen(look()[1], terminal.size(out)))
        out.flush()
        time.sleep(interval_s)


def screen(table: str, size: tuple[int, int] | None) -> str:
    """Return what puts a table on a terminal of (rows, columns) over what was there."""
    lines = table.splitlines()
    if size:
        rows, columns = size
        lines = [line[:columns] for line in lines[: max(rows - 1, 1)]]
    return _HOME + "".join(f"{line}{_END_OF_LINE}\n" for line in lines) + _BELOW


def _on_pipe(out: TextIO, interval_s: float, look: Look) -> None:
    shown: object = None
    while True:
        items, table = look()
        now = [what_counts(item) for item in items]
        if now != shown:
            out.write(table)
            out.flush()
            shown = now
        time.sleep(interval_s)


def what_counts(item: dict[str, Any]) -> tuple[object, ...]:
    """Return what of a container is news when it changes: all but the passing of time."""
    status = item["Status"]
    health_or_code = status[status.find("(") : status.find(")") + 1]
    ports = sorted(str(sorted(port.items())) for port in item["Ports"] or ())
    return item["Id"], item["Names"], item.get("State"), health_or_code, ports
