"""Text tables aligned the way Go's tabwriter does for docker.

Cells end with a tab; the last of a line stands free. A column's width is that of its widest cell
in a run of lines that have the column, plus padding, and never less than the minimum.
Docker's settings: minimum 10, padding 3, blanks.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_WIDTH = 10
PADDING = 3


def align(text: str, *, min_width: int = MIN_WIDTH, padding: int = PADDING) -> str:
    """Align the tab-separated columns of lines.

    Spec: Go, text/tabwriter.
    """
    lines = [line.split("\t") for line in text.split("\n")]
    widths: list[int] = []
    out: list[str] = []
    _format(lines, 0, len(lines), widths, out, min_width, padding)
    return "\n".join(out)


def _format(
    lines: Sequence[list[str]],
    start: int,
    stop: int,
    widths: list[int],
    out: list[str],
    min_width: int,
    padding: int,
) -> None:
    """Format lines[start:stop], whose first columns have the known widths.

    A column is a block of neighbouring lines that have a cell there which a tab ends.
    """
    column = len(widths)
    at = start
    while at < stop:
        if column >= len(lines[at]) - 1:
            out.append(_line(lines[at], widths))
            at += 1
            continue
        end = at
        width = min_width
        while end < stop and column < len(lines[end]) - 1:
            width = max(width, _cells(lines[end][column]) + padding)
            end += 1
        # Columns of empty cells alone vanish only when Go is told so, which docker does not.
        widths.append(width)
        _format(lines, at, end, widths, out, min_width, padding)
        widths.pop()
        at = end


def _line(cells: list[str], widths: list[int]) -> str:
    parts = []
    for number, cell in enumerate(cells):
        if number < len(cells) - 1 and number < len(widths):
            parts.append(cell + " " * (widths[number] - _cells(cell)))
        else:
            parts.append(cell)
    return "".join(parts)


def _cells(text: str) -> int:
    # tabwriter counts characters, not columns.
    return len(text)


def rows(table: Sequence[Sequence[str]]) -> str:
    """Align rows of the same length, one line each; faster than `align` for plain tables."""
    if not table:
        return ""
    count = len(table[0])
    widths = [
        max(MIN_WIDTH, max(len(row[column]) for row in table) + PADDING)
        for column in range(count - 1)
    ]
    out = []
    for row in table:
        line = "".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        out.append(line + row[-1] + "\n")
    return "".join(out)
