"""Heredocs: finding `<<NAME` in an instruction, and what became of the lines that follow.

Pure. Only ADD, COPY and RUN take them, and ONBUILD in front of one of these.

Spec: Dockerfile reference, "Here-Documents".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from naru.dockerfile.expand import split_words

_MARK = re.compile(r"(?P<descriptor>\d*)<<(?P<chomps>-?)(?P<word>[^<\s]+)")
_QUOTES = re.compile(r"""(?P<quote>['"])(?P<inner>[^'"]*)(?P=quote)""")
_TAKES_HEREDOCS = frozenset({"ADD", "COPY", "RUN"})


@dataclass(frozen=True, slots=True)
class Heredoc:
    """One heredoc. Each line of its content ends in a newline.

    `chomps` says that tabs in front of its lines do not count, `expands` that variables do.
    """

    name: str
    chomps: bool = False
    expands: bool = True
    content: str = ""

    @property
    def text(self) -> str:
        """Return the content, without the tabs that do not count."""
        return re.sub(r"(?m)^\t+", "", self.content) if self.chomps else self.content


def read_mark(word: str) -> Heredoc | None:
    """Return the heredoc that a word like `<<EOF` or `<<-"EOF"` announces, without content."""
    match = _MARK.fullmatch(word)
    if match is None:
        return None
    quoted = match["word"]
    name = _QUOTES.sub(r"\g<inner>", quoted)
    if not name or "'" in name or '"' in name:
        return None
    return Heredoc(name, chomps=bool(match["chomps"]), expands=name == quoted)


def marks_of(line: str) -> list[Heredoc]:
    """Return the heredocs that an instruction announces, in order."""
    if "<<" not in line:
        return []
    name, *words = split_words(line)
    if name.upper() == "ONBUILD" and words:
        name, *words = words
    if name.upper() not in _TAKES_HEREDOCS:
        return []
    return [mark for mark in map(read_mark, words) if mark is not None]
