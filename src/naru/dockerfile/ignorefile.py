"""`.dockerignore`: which files of a context are left out. Pure.

Spec: Dockerfile reference, ".dockerignore file"; moby/patternmatcher, for the rules.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from dataclasses import dataclass

from naru.errors import InvalidInputError


def read_patterns(text: str) -> list[str]:
    """Return the patterns of an ignore file, cleaned; comments and empty lines are none."""
    patterns = []
    for line in text.removeprefix("\ufeff").splitlines():
        if line.startswith("#"):
            continue
        pattern = line.strip()
        is_exception = pattern.startswith("!")
        pattern = pattern.removeprefix("!").strip() if is_exception else pattern
        if pattern:
            pattern = _clean(pattern)
            pattern = pattern[1:] if len(pattern) > 1 and pattern[0] == "/" else pattern
        if pattern or is_exception:
            patterns.append("!" + pattern if is_exception else pattern)
    return patterns


def _clean(path: str) -> str:
    # POSIX lets two slashes in front mean something else; nobody else does.
    return re.sub(r"^//+", "/", posixpath.normpath(path))


@dataclass(frozen=True, slots=True)
class _Pattern:
    text: str
    is_exception: bool
    regex: re.Pattern[str]


class IgnoreRules:
    """Says of each path whether the patterns leave it out. Later patterns override earlier ones."""

    def __init__(self, patterns: Iterable[str]) -> None:
        """Read the patterns.

        Raises:
            InvalidInputError: one of them is none.
        """
        self._patterns: list[_Pattern] = []
        for pattern in patterns:
            text = pattern.strip()
            if not text:
                continue
            is_exception = text.startswith("!")
            text = text.removeprefix("!") if is_exception else text
            if not text:
                raise InvalidInputError('illegal exclusion pattern: "!"')
            text = _clean(text)
            self._patterns.append(_Pattern(text, is_exception, pattern_regex(text)))

    def leaves_out(self, path: str) -> bool:
        """Say whether `path`, relative and with slashes, is left out, itself or by a parent."""
        left_out = False
        parts = path.split("/")
        prefixes = ["/".join(parts[:count]) for count in range(1, len(parts) + 1)]
        for pattern in self._patterns:
            # Only what changes the verdict so far needs a look.
            if pattern.is_exception is left_out and any(map(pattern.regex.fullmatch, prefixes)):
                left_out = not pattern.is_exception
        return left_out

    def may_hold_exceptions(self, directory: str) -> bool:
        """Say whether something in a directory that is left out may be kept all the same."""
        prefix = directory + "/"
        return any(
            pattern.is_exception and (pattern.text + "/").startswith(prefix)
            for pattern in self._patterns
        )


def pattern_regex(pattern: str) -> re.Pattern[str]:
    """Return a pattern as a regular expression for whole paths; only `**` crosses a slash.

    Raises:
        InvalidInputError: it is none.
    """
    try:
        return re.compile(_regex(pattern), re.DOTALL)
    except re.error as error:
        raise InvalidInputError(f"syntax error in pattern: {pattern}") from error


def _regex(pattern: str) -> str:
    result: list[str] = []
    position = 0
    while position < len(pattern):
        character = pattern[position]
        position += 1
        if pattern.startswith("**", position - 1):
            position += 1
            if pattern.startswith("/", position):
                position += 1
            result.append(".*" if position >= len(pattern) else "(?:.*/)?")
        elif character == "*":
            result.append("[^/]*")
        elif character == "?":
            result.append("[^/]")
        elif character == "[":
            end, inner = _bracket(pattern, position)
            result.append(inner)
            position = end
        elif character == "\\":
            if position >= len(pattern):
                raise InvalidInputError(f"syntax error in pattern: {pattern}")
            result.append(re.escape(pattern[position]))
            position += 1
        else:
            result.append(re.escape(character))
    return "".join(result)


def _bracket(pattern: str, start: int) -> tuple[int, str]:
    """Return where a character class ends, and the class as a regular expression."""
    position = start
    negation = ""
    if pattern.startswith("^", position):
        negation, position = "^", position + 1
    inner: list[str] = []
    while position < len(pattern) and (pattern[position] != "]" or not inner):
        character = pattern[position]
        position += 1
        if character == "\\" and position < len(pattern):
            inner.append(re.escape(pattern[position]))
            position += 1
        elif character == "-":
            inner.append("-")
        else:
            inner.append(re.escape(character))
    if position >= len(pattern) or not inner:
        raise InvalidInputError(f"syntax error in pattern: {pattern}")
    return position + 1, f"[{negation}{''.join(inner)}]"
