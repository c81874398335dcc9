"""Option values are read as Go reads them."""

from __future__ import annotations

import pytest

from naru.cli.value_types import default_of, go_quote, reader_of
from naru.errors import NaruError


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("int", "+5", 5),
        ("int", "-5", -5),
        ("int", "010", 8),
        ("int", "1_000", 1000),
        ("uint16", "65535", 65535),
        ("float", "1e3", 1000.0),
        ("duration", "1m30s", 90 * 10**9),
        ("bytes", "512m", 512 << 20),
        ("bytes", "-1", -1),
        ("decimal", "1.5", 1_500_000_000),
        ("decimal", "1/4", 250_000_000),
        ("strings", 'a,"b,c"', ["a", "b,c"]),
        ("strings", "", []),
        ("mount", "type=bind", "type=bind"),
    ],
)
def test_text_is_read(type_: str, text: str, value: object) -> None:
    assert reader_of(type_)(text) == value


@pytest.mark.parametrize(
    ("type_", "text", "problem"),
    [
        ("int", "", 'strconv.ParseInt: parsing "": invalid syntax'),
        ("int", "1 ", 'strconv.ParseInt: parsing "1 ": invalid syntax'),
        ("int", "1e3", 'strconv.ParseInt: parsing "1e3": invalid syntax'),
        ("uint16", "70000", 'strconv.ParseUint: parsing "70000": value out of range'),
        ("uint16", "-1", 'strconv.ParseUint: parsing "-1": invalid syntax'),
        ("float", "x", 'strconv.ParseFloat: parsing "x": invalid syntax'),
        ("duration", "x", 'time: invalid duration "x"'),
        ("bytes", "x", "invalid size: 'x'"),
        ("decimal", "x", "failed to parse x as a rational number"),
        ("decimal", "1/0", "failed to parse 1/0 as a rational number"),
        ("decimal", "1.0000000001", "value is too precise"),
    ],
)
def test_bad_text_is_refused_in_gos_words(type_: str, text: str, problem: str) -> None:
    with pytest.raises((ValueError, NaruError)) as caught:
        reader_of(type_)(text)
    assert str(caught.value) == problem


def test_defaults_shown_in_help_are_the_values() -> None:
    assert default_of("map", "map[]") == []
    assert default_of("list", "[]") == []
    assert default_of("duration", "0s") == 0
    assert default_of("uint16", "0") == 0
    assert default_of("bool", "true") is True


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ('a"b\\', '"a\\"b\\\\"'),
        ("é—", '"é—"'),
        ("\n\t\x01", '"\\n\\t\\x01"'),
        ("\u200b", '"\\u200b"'),
        ("\udcff", '"\\xff"'),
    ],
)
def test_texts_are_quoted_as_go_does(text: str, quoted: str) -> None:
    assert go_quote(text) == quoted
