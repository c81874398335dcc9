"""`.dockerignore`: patterns, exceptions, directories."""

from __future__ import annotations

import pytest

from naru.dockerfile.ignorefile import IgnoreRules, read_patterns
from naru.errors import InvalidInputError


@pytest.mark.parametrize(
    ("patterns", "path", "expected"),
    [
        (["a"], "a", True),
        (["a"], "a/b/c", True),
        (["a"], "b/a", False),
        (["*.md"], "x.md", True),
        (["*.md"], "d/x.md", False),
        (["**/*.md"], "x.md", True),
        (["**/*.md"], "d/e/x.md", True),
        (["a/**"], "a/b", True),
        (["a/**/z"], "a/z", True),
        (["a/**/z"], "a/b/c/z", True),
        (["?"], "ab", False),
        (["[a-c]x"], "bx", True),
        (["[^a-c]x"], "bx", False),
        (["a.b"], "aXb", False),
        (["\\*"], "*", True),
        (["\\*"], "x", False),
        (["*", "!keep"], "keep", False),
        (["*", "!keep"], "other", True),
        (["d", "!d/keep"], "d/keep", False),
        (["d", "!d/keep", "d/keep"], "d/keep", True),
        (["!a"], "a", False),
        (["a+b", "c$"], "a+b", True),
    ],
)
def test_a_path_is_left_out_by_the_last_pattern_that_fits(
    patterns: list[str], path: str, expected: bool
) -> None:
    assert IgnoreRules(patterns).leaves_out(path) is expected


def test_the_file_is_read_as_docker_reads_it() -> None:
    text = "\ufeff# comment\n\n  /a/b/ \n!c/../d\n //e\n#x\n ! f \n"
    assert read_patterns(text) == ["a/b", "!d", "e", "!f"]


def test_a_directory_with_exceptions_is_entered() -> None:
    rules = IgnoreRules(["d", "e", "!d/a/keep"])
    assert rules.may_hold_exceptions("d")
    assert rules.may_hold_exceptions("d/a")
    assert not rules.may_hold_exceptions("e")


@pytest.mark.parametrize("pattern", ["!", "[a", "[]", "a\\", "[z-a]"])
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidInputError):
        IgnoreRules([pattern])
