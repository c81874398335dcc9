"""Sizes, durations, times and flags in Docker's spellings."""

from __future__ import annotations

import pytest

from naru import units
from naru.errors import InvalidInputError


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("0", 0),
        ("100", 100),
        ("100b", 100),
        ("1k", 1024),
        ("1kb", 1024),
        ("1KiB", 1024),
        ("512m", 512 << 20),
        ("1.5g", 3 << 29),
        ("2 GB", 2 << 30),
        ("1t", 1 << 40),
        (".5k", 512),
        ("1. k", 1024),
        ("1e3", 1000),
    ],
)
def test_sizes_are_powers_of_1024(text: str, count: int) -> None:
    assert units.parse_bytes(text) == count


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "invalid size: ''"),
        ("m", "invalid size: 'm'"),
        ("one", "invalid size: 'one'"),
        ("-1", "invalid size: '-1'"),
        ("٣", "invalid size: '٣'"),
        ("1x", "invalid suffix: 'x'"),
        ("1MM", "invalid suffix: 'mm'"),
        ("1bb", "invalid suffix: 'bb'"),
        ("1kiB5", 'strconv.ParseFloat: parsing "1kiB5": invalid syntax'),
        ("1.2.3k", 'strconv.ParseFloat: parsing "1.2.3": invalid syntax'),
        ("1 kb ", 'strconv.ParseFloat: parsing "1 kb": invalid syntax'),
        (" 1", 'strconv.ParseFloat: parsing " 1": invalid syntax'),
    ],
)
def test_what_is_no_size_is_refused_in_dockers_words(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as told:
        units.parse_bytes(text)
    assert told.value.message == problem


@pytest.mark.parametrize(
    ("count", "decimal", "binary"),
    [
        (0, "0B", "0B"),
        (999, "999B", "999B"),
        (1024, "1.024kB", "1KiB"),
        (1_234_567, "1.235MB", "1.177MiB"),
        (3 << 29, "1.611GB", "1.5GiB"),
    ],
)
def test_sizes_are_printed_with_four_digits(count: int, decimal: str, binary: str) -> None:
    assert units.print_bytes_decimal(count) == decimal
    assert units.print_bytes_binary(count) == binary


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [("1s", 10**9), ("1h30m", 5400 * 10**9), ("1.5s", 1_500_000_000), ("100ms", 10**8), ("0", 0)],
)
def test_durations_are_gos(text: str, nanoseconds: int) -> None:
    assert units.parse_duration(text) == nanoseconds


@pytest.mark.parametrize("text", ["", "1", "1x", "s", "1s2"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        units.parse_duration(text)


def test_times_are_printed_with_nine_digits_at_most() -> None:
    assert units.print_rfc3339(0) == units.ZERO_TIME
    assert units.print_rfc3339(1_700_000_000_123_456_789) == "2023-11-14T22:13:20.123456789Z"


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1700000000", 1_700_000_000 * 10**9),
        ("1700000000.123456789", 1_700_000_000_123_456_789),
        ("2023-11-14T22:13:20Z", 1_700_000_000 * 10**9),
        ("2023-11-14T23:13:20+01:00", 1_700_000_000 * 10**9),
        ("10s", 1_700_000_000 * 10**9 - 10 * 10**9),
    ],
)
def test_times_are_read_as_clients_send_them(text: str, nanoseconds: int) -> None:
    assert units.parse_time(text, now_ns=1_700_000_000 * 10**9) == nanoseconds


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0s"),
        (1, "1ns"),
        (1_500, "1.5µs"),
        (10**6, "1ms"),
        (1_020_000, "1.02ms"),
        (10**9, "1s"),
        (1_500_000_000, "1.5s"),
        (90 * 10**9, "1m30s"),
        (3600 * 10**9, "1h0m0s"),
        (3_661_000_000_001, "1h1m1.000000001s"),
        (-(10**9), "-1s"),
    ],
)
def test_lengths_of_time_are_printed_as_go_prints_them(nanoseconds: int, text: str) -> None:
    assert units.print_duration(nanoseconds) == text
    assert units.parse_duration(text) == nanoseconds


def test_flags_are_gos_words_and_nothing_else() -> None:
    assert all(units.parse_flag(word) for word in ("1", "t", "T", "true", "True", "TRUE"))
    assert not any(units.parse_flag(word) for word in ("0", "f", "F", "false", "False", "FALSE"))
    for word in ("", "yes", "tRUE", " true", "2"):
        with pytest.raises(InvalidInputError, match="ParseBool"):
            units.parse_flag(word)
