"""What is written in the fields of a tar header: numbers, checksums, pax records.

Pure. Every function raises ValueError for what its field cannot hold.

Spec: POSIX.1-2017, pax §ustar and §pax Extended Header; GNU tar manual, Basic Tar Format.
"""

from __future__ import annotations

import re
import zlib

XATTR_PREFIX = b"SCHILY.xattr."
_SPACES = sum(b" " * 8)
_ADLER = 65521
_DECIMAL_TIME = re.compile(rb"(-?)(\d{1,18})(?:\.(\d*))?")


def checksum_fits(block: memoryview | bytes, field: bytes, stored: int) -> bool:
    """Compare the sum of all bytes, with the checksum's own field taken as spaces."""
    # Adler's low half is the sum of the bytes plus one, at a tenth of the cost of sum().
    total = (zlib.adler32(block) & 0xFFFF) - 1 - sum(field) + _SPACES
    if (total - stored) % _ADLER == 0:
        return True
    # Some old writers summed signed characters.
    signed = sum(memoryview(block).cast("b")) - sum(memoryview(field).cast("b")) + _SPACES
    return signed == stored


def parse_number(field: bytes) -> int:
    """Read octal digits, or GNU's base 256 if the top bit is set."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big")
        bits = 8 * len(field)
        # 0xff starts a negative number, 0x80 a positive one.
        return value - (1 << bits) if field[0] & 0x40 else value - (1 << (bits - 1))
    digits = field[:-1]
    if not digits.isdigit():
        digits = field.partition(b"\0")[0].strip(b" ")
    elif field[-1] not in b"\0 ":
        digits = field
    if not digits:
        return 0
    if not digits.isdigit():
        raise ValueError
    return int(digits, 8)


def parse_pax(data: bytes) -> dict[bytes, bytes]:
    """Read records of `length key=value` and a newline; the last of equal keys counts."""
    records: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        space = data.find(b" ", position, position + 20)
        digits = data[position:space]
        if space < 0 or not digits.isdigit():
            raise ValueError(f"no length at byte {position}")
        end = position + int(digits)
        if end > len(data) or end <= space or data[end - 1] != 0x0A:
            raise ValueError(f"bad length at byte {position}")
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or not key or b"\0" in key:
            raise ValueError(f"no key at byte {position}")
        if b"\0" in value and not key.startswith(XATTR_PREFIX):
            raise ValueError(f"zero byte in the value of {key[:40]!r}")
        records[key] = value
        position = end
    return records


def parse_time(value: bytes) -> int:
    """Read decimal seconds as nanoseconds."""
    match = _DECIMAL_TIME.fullmatch(value)
    if match is None:
        raise ValueError("no time")
    sign, seconds, fraction = match.groups()
    nanoseconds = int(seconds) * 10**9 + int(((fraction or b"") + b"000000000")[:9])
    return -nanoseconds if sign else nanoseconds
