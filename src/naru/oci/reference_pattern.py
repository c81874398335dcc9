r"""Patterns for names of images, as the filter `reference` has them: `busy*`, `*/app:1.?`.

`*` and `?` stay within one part of a name, `[a-c]` and `[^a-c]` are classes, `\` takes the next
character as it is.

Spec: distribution/reference, FamiliarMatch; Go, path.Match.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from naru.errors import InvalidInputError
from naru.oci.reference import Reference


def fits(reference: Reference, pattern: str) -> bool:
    """Say whether a familiar name, with its tag or digest or without, is what `pattern` means.

    Raises:
        InvalidInputError: `pattern` is none.
    """
    match = _compiled(pattern).match
    return match(reference.familiar) is not None or match(reference.familiar_name) is not None


def check_pattern(pattern: str) -> None:
    """Refuse what is no pattern.

    Raises:
        InvalidInputError: a class or an escape has no end, in Docker's words.
    """
    _compiled(pattern)


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    head, *others = _pieces(pattern)
    if not others:
        return re.compile(rf"{head}\Z")
    # Each star takes the first place where what follows it fits, and no other is tried later:
    # so does Go, and no pattern can make us try all the ways to share a name among many stars.
    middle = "".join(f"(?>[^/]*?{piece})" for piece in others[:-1])
    return re.compile(rf"{head}{middle}[^/]*?{others[-1]}\Z")


def _pieces(pattern: str) -> list[str]:
    """Return what stands between the stars, as regular expressions."""
    pieces = [""]
    rest = iter(pattern)
    for character in rest:
        if character == "*":
            pieces.append("")
        elif character == "?":
            pieces[-1] += "[^/]"
        elif character == "[":
            pieces[-1] += _class(rest)
        else:
            pieces[-1] += re.escape(_next(rest) if character == "\\" else character)
    return pieces


def _class(rest: Iterator[str]) -> str:
    first = _next(rest)
    is_negated = first == "^"
    if is_negated:
        first = _next(rest)
    ranges: list[str] = []
    character = first
    while character != "]" or not ranges:
        low = _member(character, rest)
        high = low
        character = _next(rest)
        if character == "-":
            high = _member(_next(rest), rest)
            character = _next(rest)
        ranges.append(f"{re.escape(low)}-{re.escape(high)}" if low <= high else "")
    members = "".join(ranges)
    if not members:
        # Ranges that run backwards hold nothing.
        return r"[\s\S]" if is_negated else r"(?!)"
    return f"[{'^' if is_negated else ''}{members}]"


def _member(character: str, rest: Iterator[str]) -> str:
    if character in "-]":
        raise _no_pattern()
    return _next(rest) if character == "\\" else character


def _next(rest: Iterator[str]) -> str:
    character = next(rest, None)
    if character is None:
        raise _no_pattern()
    return character


def _no_pattern() -> InvalidInputError:
    return InvalidInputError("syntax error in pattern")
