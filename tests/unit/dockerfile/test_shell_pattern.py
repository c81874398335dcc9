"""Patterns in variables: what they take off and replace, and how long that may take."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.dockerfile.expand import expand
from naru.dockerfile.shell_pattern import ShellPattern
from naru.errors import InvalidInputError


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("${v#a*b}", "cabd"),
        ("${v##a*b}", "d"),
        ("${v%b*}", "abca"),
        ("${v%%b*}", "a"),
        ("${v#x}", "abcabd"),
        ("${v#?}", "bcabd"),
        ("${v%?}", "abcab"),
        ("${v##*}", ""),
        ("${v#*}", "abcabd"),
        ("${v/b/X}", "aXcabd"),
        ("${v//b/X}", "aXcaXd"),
        ("${v/c*/}", "ab"),
        ("${v//?b/-}", "-c-d"),
        ("${none/a/b}", ""),
        ("${star#\\*}", "y"),
        ("${slash/\\//:}", "a:b/c"),
    ],
)
def test_patterns_take_off_and_replace(word: str, expected: str) -> None:
    environment = {"v": "abcabd", "star": "*y", "slash": "a/b/c"}
    assert expand(word, environment) == expected


def test_a_needless_escape_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="invalid escape"):
        expand("${v#\\a}", {"v": "a"})


_PATTERNS = st.text("ab*?", max_size=6)
_VALUES = st.text("abc", max_size=8)


def _as_regex(pattern: str, *, longest: bool) -> str:
    many = ".*" if longest else ".*?"
    return "".join({"*": many, "?": "."}.get(character, character) for character in pattern)


@given(_PATTERNS, _VALUES, st.booleans())
def test_prefixes_are_those_of_the_regular_expression(
    pattern: str, value: str, longest: bool
) -> None:
    match = re.match(_as_regex(pattern, longest=longest), value)
    expected = value[match.end() :] if match else value
    assert ShellPattern(pattern).without_prefix(value, longest=longest) == expected
    reverse = ShellPattern(pattern[::-1]).without_suffix(value[::-1], longest=longest)
    assert reverse == expected[::-1]


@given(_PATTERNS, _VALUES)
def test_the_first_match_is_that_of_the_regular_expression(pattern: str, value: str) -> None:
    expected = re.sub(_as_regex(pattern, longest=True), "-", value, count=1)
    assert ShellPattern(pattern).replaced(value, "-", everywhere=False) == expected


def test_a_hostile_pattern_takes_no_longer_than_its_length() -> None:
    pattern = ShellPattern("*a" * 50 + "b")
    value = "a" * 2000
    assert pattern.without_prefix(value, longest=True) == value
    assert pattern.without_suffix(value, longest=False) == value
    assert pattern.replaced(value, "x", everywhere=True) == value
