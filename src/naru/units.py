"""Sizes, durations, times and flags, parsed and printed the way Docker's clients do."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from naru.errors import InvalidInputError

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,2})?", re.ASCII)
_UNIT = re.compile(r"b|([kmgtpe])(?:b|ib)?")
_DURATION_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_NANOSECONDS = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.(\d{1,9})\d*)?)?(Z|[+-]\d\d:?\d\d)?"
)
_FLAGS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
ZERO_TIME = "0001-01-01T00:00:00Z"


def parse_flag(text: str) -> bool:
    """Read `true`, `0` and the like.

    Raises:
        InvalidInputError: `text` is none of Go's words for yes and no.

    Spec: Go, strconv.ParseBool.
    """
    if text not in _FLAGS:
        raise InvalidInputError(f'strconv.ParseBool: parsing "{text}": invalid syntax')
    return _FLAGS[text]


def parse_bytes(text: str) -> int:
    """Read `512m`, `1.5GiB` or `100` as bytes; the units are powers of 1024.

    Raises:
        InvalidInputError: `text` is no size.

    Spec: docker/go-units, RAMInBytes.
    """
    return _size(text, 1024)


def parse_bytes_decimal(text: str) -> int:
    """Read a size whose units are powers of 1000, as those of log options are.

    Raises:
        InvalidInputError: `text` is no size.

    Spec: docker/go-units, FromHumanSize.
    """
    return _size(text, 1000)


def _size(text: str, base: int) -> int:
    end = max(text.rfind(char) for char in "0123456789. ")
    if end < 0:
        raise InvalidInputError(f"invalid size: '{text}'")
    number = text[:end] if text[end] == " " else text[: end + 1]
    unit = text[end + 1 :].lower()
    if not _NUMBER.fullmatch(number):
        raise InvalidInputError(f'strconv.ParseFloat: parsing "{number}": invalid syntax')
    if float(number) < 0:
        raise InvalidInputError(f"invalid size: '{text}'")
    known = _UNIT.fullmatch(unit)
    if unit and known is None:
        raise InvalidInputError(f"invalid suffix: '{unit}'")
    power = " kmgtpe".index(known[1]) if known and known[1] else 0
    return int(float(number) * base**power)


def print_bytes_decimal(count: float) -> str:
    """Print bytes in powers of 1000 with four significant digits: `1.235MB`.

    Spec: docker/go-units, HumanSize.
    """
    return _human(count, 1000.0, ("B", "kB", "MB", "GB", "TB", "PB", "EB"))


def print_bytes_binary(count: float) -> str:
    """Print bytes in powers of 1024 with four significant digits: `1.5GiB`.

    Spec: docker/go-units, BytesSize.
    """
    return _human(count, 1024.0, ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"))


def _human(count: float, base: float, names: tuple[str, ...]) -> str:
    step = 0
    while count >= base and step < len(names) - 1:
        count /= base
        step += 1
    return f"{count:.4g}{names[step]}"


def parse_duration(text: str) -> int:
    """Read Go's durations (`1h30m`, `1.5s`, `0`) as nanoseconds.

    Raises:
        InvalidInputError: `text` is no duration.

    Spec: Go, time.ParseDuration.
    """
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    total, position = 0.0, 0
    for match in _DURATION_PART.finditer(rest):
        if match.start() != position:
            break
        total += float(match[1]) * _NANOSECONDS[match[2]]
        position = match.end()
    if not rest or position != len(rest):
        raise InvalidInputError(_why_no_duration(text, rest[position:]))
    return sign * round(total)


def _why_no_duration(text: str, unread: str) -> str:
    number = re.match(r"\d+(\.\d*)?|\.\d+", unread)
    if number is None:
        return f'time: invalid duration "{text}"'
    unit = re.split(r"[\d.]", unread[number.end() :], maxsplit=1)[0]
    if not unit:
        return f'time: missing unit in duration "{text}"'
    return f'time: unknown unit "{unit}" in duration "{text}"'


def print_duration(nanoseconds: int) -> str:
    """Print a length of time as Go does: `500ms`, `1.5s`, `1m30s`, `1h0m0s`.

    Spec: Go, time.Duration.String.
    """
    sign, left = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if left < 10**9:
        unit = next((u for u in ("ms", "µs", "ns") if left >= _NANOSECONDS[u]), "")
        return f"{sign}{_decimal(left, _NANOSECONDS[unit])}{unit}" if unit else "0s"
    minutes, seconds = divmod(left, 60 * 10**9)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(seconds, 10**9)}s"
    if hours:
        return f"{sign}{hours}h{minutes}m{text}"
    return f"{sign}{minutes}m{text}" if minutes else sign + text


def _decimal(value: int, unit: int) -> str:
    whole, fraction = divmod(value, unit)
    digits = f"{fraction:0{len(str(unit)) - 1}d}".rstrip("0") if fraction else ""
    return f"{whole}.{digits}" if digits else str(whole)


def print_rfc3339(nanoseconds: int) -> str:
    """Print UTC nanoseconds as Go's RFC3339Nano: no trailing zeros, `Z` at the end."""
    if nanoseconds == 0:
        return ZERO_TIME
    seconds, fraction = divmod(nanoseconds, 10**9)
    text = datetime.fromtimestamp(seconds, UTC).isoformat()[:19]
    digits = f"{fraction:09d}".rstrip("0")
    return f"{text}.{digits}Z" if digits else f"{text}Z"


def parse_time(text: str, *, now_ns: int) -> int:
    """Read a time as Docker's `since` and `until` take it, as UTC nanoseconds.

    Taken are seconds since 1970 with an optional fraction, RFC 3339 with or without a zone
    (none means UTC), a date alone, and a duration, which is counted back from `now_ns`.

    Raises:
        InvalidInputError: `text` is none of these.
    """
    if re.fullmatch(r"\d+(\.\d*)?", text):
        seconds, _, fraction = text.partition(".")
        return int(seconds) * 10**9 + int(f"{fraction[:9]:0<9}")
    match = _TIME.fullmatch(text)
    if match is None:
        try:
            return now_ns - parse_duration(text)
        except InvalidInputError as error:
            raise InvalidInputError(f"invalid time: '{text}'") from error
    date, clock, fraction, zone = match.groups()
    clock = f"{clock or '00:00'}:00"[:8]
    zone = "+00:00" if zone in (None, "Z") else zone
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}{zone}")
    except ValueError as error:
        raise InvalidInputError(f"invalid time: '{text}'") from error
    since_epoch = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return since_epoch // timedelta(seconds=1) * 10**9 + int(f"{fraction or '':0<9}")
