"""Numbers and fields, as Go reads them."""

from __future__ import annotations

import pytest

from naru.cli.container_options.go_texts import parse_int, parse_uint, split_fields


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("a", ["a"]),
        ("a,b,", ["a", "b", ""]),
        ('"a,b",c', ["a,b", "c"]),
        ('"say ""hi""",x', ['say "hi"', "x"]),
        ('""', [""]),
        ("a,b\nc,d", ["a", "b"]),
        ("\n\na", ["a"]),
    ],
)
def test_fields_are_split(line: str, fields: list[str]) -> None:
    assert split_fields(line) == fields


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("", "EOF"),
        ('a"b', 'parse error on line 1, column 2: bare " in non-quoted-field'),
        ('"ab', 'parse error on line 1, column 4: extraneous or missing " in quoted-field'),
        ('"a"b', 'parse error on line 1, column 3: extraneous or missing " in quoted-field'),
    ],
)
def test_broken_quotes_are_refused(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=r"EOF|parse error") as caught:
        split_fields(line)
    assert str(caught.value) == problem


def test_numbers_have_borders() -> None:
    assert parse_uint("65535", 16) == 65535
    assert parse_int("-9223372036854775808") == -(1 << 63)
    for text, problem in (("65536", "value out of range"), ("+1", "syntax"), ("٣", "syntax")):
        with pytest.raises(ValueError, match=problem):
            parse_uint(text, 16)
    with pytest.raises(ValueError, match="value out of range"):
        parse_int("9223372036854775808")
