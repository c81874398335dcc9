"""Words: quotes, escapes, variables."""

from __future__ import annotations

import pytest

from naru.dockerfile.expand import expand, split_words
from naru.errors import InvalidInputError

ENVIRONMENT = {"A": "1", "EMPTY": "", "LONG_name2": "x y"}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("plain", "plain"),
        ("$A", "1"),
        ("${A}b", "1b"),
        ("$Ab", ""),
        ("${LONG_name2}", "x y"),
        ("\\$A", "$A"),
        ("'$A'", "$A"),
        ('"$A \\"q\\" \\x"', '1 "q" \\x'),
        ("a$", "a$"),
        ("a\\", "a\\"),
        ("${EMPTY:-d}${EMPTY-d}", "d"),
        ("${A:+s}${B:+s}${EMPTY:+s}", "s"),
        ("${B:-${A}}", "1"),
        ("${A:?no}", "1"),
    ],
)
def test_words_are_expanded_as_in_docker(word: str, expected: str) -> None:
    assert expand(word, ENVIRONMENT) == expected


@pytest.mark.parametrize(
    "word", ["'a", '"a', "${A", "${A:x}", "${A!}", "${B:?gone}", "${}", "${:a}"]
)
def test_what_cannot_be_expanded_is_named(word: str) -> None:
    with pytest.raises(InvalidInputError, match=r"^failed to process"):
        expand(word, ENVIRONMENT)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a  b\tc", ["a", "b", "c"]),
        ('a="b c" d', ['a="b c"', "d"]),
        ("a=b\\ c d", ["a=b\\ c", "d"]),
        ("'a b", ["'a b"]),
        ("", []),
    ],
)
def test_lines_are_split_as_a_shell_would(line: str, words: list[str]) -> None:
    assert split_words(line) == words
