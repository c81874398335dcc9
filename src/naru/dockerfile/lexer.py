"""From the text of a Dockerfile to its instructions as lines: joined, without comments.

Owns continuation lines, comments, parser directives and the extent of heredocs. Pure; what an
instruction means is for `dockerfile.statement` and `dockerfile.instruction_rules`.

Spec: Dockerfile reference, "Format" and "Parser directives".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from naru.dockerfile.heredoc import Heredoc, marks_of
from naru.errors import InvalidInputError

_DIRECTIVE = re.compile(r"#\s*([a-zA-Z][a-zA-Z0-9]*)\s*=\s*(.+?)\s*")
_DIRECTIVES = frozenset({"check", "escape", "syntax"})
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Line:
    """One instruction as written; `first` is the number of its first line, from 1."""

    text: str
    first: int
    heredocs: tuple[Heredoc, ...] = ()


@dataclass(frozen=True, slots=True)
class Source:
    """All instructions of one text, the escape character in force, and warnings for users."""

    lines: tuple[Line, ...]
    escape: str = "\\"
    warnings: tuple[str, ...] = ()


def read_source(text: str) -> Source:
    """Split a Dockerfile into instructions.

    Raises:
        InvalidInputError: a directive is wrong or repeated, a heredoc does not end, or there is
            no instruction at all.
    """
    return _Reader(text).read()


class _Reader:
    """One pass over one text, line by line."""

    def __init__(self, text: str) -> None:
        self._rows = [row.removesuffix("\r") for row in text.split("\n")]
        self._rows[0] = self._rows[0].removeprefix(_BYTE_ORDER_MARK)
        self._position = 0
        self._escape = "\\"
        self._continuation = _continuation("\\")
        self._warnings: list[str] = []

    def read(self) -> Source:
        self._read_directives()
        lines = []
        while self._position < len(self._rows):
            first = self._position + 1
            row = self._next().lstrip()
            if not row or row.startswith("#"):
                continue
            text = self._joined(row)
            if text.strip():
                heredocs = tuple(self._body(mark) for mark in marks_of(text))
                lines.append(Line(text, first, heredocs))
        if not lines:
            raise InvalidInputError("file with no instructions")
        if self._warnings:
            self._warnings.append(
                "[WARNING]: Empty continuation lines will become errors in a future release."
            )
        return Source(tuple(lines), self._escape, tuple(self._warnings))

    def _next(self) -> str:
        row = self._rows[self._position]
        self._position += 1
        return row

    def _read_directives(self) -> None:
        """Read `# name=value` lines; they end at the first line that is none."""
        seen: set[str] = set()
        for row in self._rows:
            match = _DIRECTIVE.fullmatch(row.lstrip())
            name = match[1].lower() if match else ""
            if match is None or name not in _DIRECTIVES:
                return
            if name in seen:
                raise InvalidInputError(f"only one {name} parser directive can be used")
            seen.add(name)
            if name == "escape":
                if match[2] not in ("\\", "`"):
                    raise InvalidInputError(
                        f"invalid escape token '{match[2]}' does not match ` or \\"
                    )
                self._escape = match[2]
                self._continuation = _continuation(match[2])

    def _joined(self, row: str) -> str:
        text, goes_on = self._cut(row)
        has_empty_line = False
        while goes_on and self._position < len(self._rows):
            row = self._next()
            if row.lstrip().startswith("#"):
                continue
            if not row.strip():
                # The text's own last newline is no line.
                has_empty_line = has_empty_line or self._position < len(self._rows)
                continue
            piece, goes_on = self._cut(row)
            text += piece
        if has_empty_line:
            self._warnings.append(f"[WARNING]: Empty continuation line found in:\n    {text}")
        return text

    def _cut(self, row: str) -> tuple[str, bool]:
        """Return a line without its escape character at the end, and whether it had one."""
        match = self._continuation.search(row)
        return (row[: match.start()], True) if match else (row, False)

    def _body(self, mark: Heredoc) -> Heredoc:
        content: list[str] = []
        while self._position < len(self._rows):
            row = self._next()
            if (row.lstrip("\t") if mark.chomps else row) == mark.name:
                return replace(mark, content=_lines(content))
            content.append(row)
        raise InvalidInputError("unterminated heredoc")


def _lines(rows: Sequence[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def _continuation(escape: str) -> re.Pattern[str]:
    return re.compile(re.escape(escape) + r"[ \t]*$")
