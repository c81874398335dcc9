"""Fields of tar headers."""

from __future__ import annotations

import pytest

from naru.store.tar_fields import checksum_fits, parse_number, parse_pax, parse_time
from suites import raw_tar as raw


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"0000644 ", 0o644),
        (b"00000644", 0o644),
        (b"   644 \0", 0o644),
        (b"644\0junk", 0o644),
        (b"\0" * 8, 0),
        (b" " * 8, 0),
        (raw.base256(0, 8), 0),
        (raw.base256(2**50, 8), 2**50),
        (raw.base256(-1, 12), -1),
        (raw.base256(-(2**80), 12), -(2**80)),
    ],
)
def test_numbers_are_read(field: bytes, value: int) -> None:
    assert parse_number(field) == value


@pytest.mark.parametrize(
    "field",
    [
        b"00x0644\0",
        b"0000_1 \0",
        b"-000644\0",
        b"+000644\0",
        b"0000008\0",
        b"0o00644\0",
        b"6 4     ",
    ],
)
def test_what_is_no_number_is_refused(field: bytes) -> None:
    with pytest.raises(ValueError):
        parse_number(field)


def test_a_flipped_byte_breaks_the_checksum() -> None:
    block = bytearray(raw.header(b"name"))
    stored = parse_number(bytes(block[148:156]))
    assert checksum_fits(bytes(block), bytes(block[148:156]), stored)
    block[0] ^= 1
    assert not checksum_fits(bytes(block), bytes(block[148:156]), stored)


def test_a_header_of_high_bytes_has_its_checksum() -> None:
    block = raw.header(b"\xff" * 100, link=b"\xff" * 100, prefix=b"\xff" * 155)
    assert checksum_fits(block, block[148:156], parse_number(block[148:156]))


def test_the_last_of_equal_pax_keys_counts() -> None:
    data = raw.pax_record(b"path", b"a") + raw.pax_record(b"path", b"b=c\n")
    assert parse_pax(data) == {b"path": b"b=c\n"}
    assert parse_pax(b"") == {}


@pytest.mark.parametrize(
    "data", [b"x", b"5", b"6 path\n", b"0 a=b\n", b"99 a=b\n", b"6 a=bc", b"5 =b\n", b"-6 a=b\n"]
)
def test_broken_pax_records_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_pax(data)


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"1", 10**9), (b"-1.5", -1_500_000_000), (b"0.0000000019", 1), (b"7.", 7 * 10**9)],
)
def test_times_are_read_to_the_nanosecond(text: bytes, value: int) -> None:
    assert parse_time(text) == value
    with pytest.raises(ValueError, match="no time"):
        parse_time(text + b"x")
