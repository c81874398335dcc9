"""What the text of an option means, by the option's declared type.

Each type has a zero (the value when nothing was given), a reader, and says whether values add
up (`list`) or replace each other. The error texts are those of Go's flag library and docker's
own types: they stand behind `invalid argument "x" for "--y" flag: `.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_TRUE = frozenset(("1", "t", "T", "true", "TRUE", "True"))
_FALSE = frozenset(("0", "f", "F", "false", "FALSE", "False"))
_NANO = 10**9


def go_quote(text: str) -> str:
    """Quote as Go's %q does."""
    out = []
    for char in text:
        if char in '"\\':
            out.append("\\" + char)
        elif char == "\n":
            out.append("\\n")
        elif char == "\t":
            out.append("\\t")
        elif char == "\r":
            out.append("\\r")
        elif char < " " or char == "\x7f":
            out.append(f"\\x{ord(char):02x}")
        elif "\udc80" <= char <= "\udcff":
            out.append(f"\\x{ord(char) - 0xDC00:02x}")
        elif char.isprintable():
            out.append(char)
        else:
            out.append(f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")
    return '"' + "".join(out) + '"'


def parse_bool(text: str) -> bool:
    """Read Go's booleans."""
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"strconv.ParseBool: parsing {go_quote(text)}: invalid syntax")


def _integer(text: str, function: str, low: int, high: int) -> int:
    invalid = f"strconv.{function}: parsing {go_quote(text)}: "
    digits = text
    if low == 0 and text[:1] in ("+", "-"):
        raise ValueError(invalid + "invalid syntax")
    sign = -1 if text.startswith("-") else 1
    digits = text[1:] if text[:1] in ("+", "-") else text
    try:
        # Base 0 as in Go: 0x10, 0b1, 0o7 and 1_000; a leading 0 alone means octal.
        if not digits.isascii() or not digits[:1].isdigit() or digits != digits.strip():
            raise ValueError
        if len(digits) > 1 and digits[0] == "0" and digits[1] in "01234567_":
            number = int(digits.lstrip("0_") or "0", 8)
        else:
            number = int(digits, 0)
    except ValueError:
        raise ValueError(invalid + "invalid syntax") from None
    number *= sign
    if not low <= number <= high:
        raise ValueError(invalid + "value out of range")
    return number


def _int(text: str) -> int:
    return _integer(text, "ParseInt", -(2**63), 2**63 - 1)


def _uint(text: str) -> int:
    return _integer(text, "ParseUint", 0, 2**64 - 1)


def _uint16(text: str) -> int:
    return _integer(text, "ParseUint", 0, 2**16 - 1)


def _float(text: str) -> float:
    try:
        if "_" in text or text != text.strip():
            raise ValueError
        return float(text)
    except ValueError:
        raise ValueError(f"strconv.ParseFloat: parsing {go_quote(text)}: invalid syntax") from None


def _duration(text: str) -> int:
    if text == "0s":
        # The default of many options: not worth an import.
        return 0
    from naru.units import parse_duration

    return parse_duration(text)


def _bytes(text: str) -> int:
    if text == "-1":
        # docker's MemSwapBytes knows "no limit"; the engine refuses it where it means nothing.
        return -1
    from naru.units import parse_bytes

    return parse_bytes(text)


def _decimal(text: str) -> int:
    """Read a number of CPUs as billionths of one."""
    from fractions import Fraction

    try:
        number = Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise ValueError(f"failed to parse {text} as a rational number") from None
    nano = number * _NANO
    if nano.denominator != 1:
        raise ValueError("value is too precise")
    return int(nano)


def _strings(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",") if text else []
    import csv

    return next(csv.reader([text]))


def _filter(text: str) -> tuple[str, str]:
    if "=" not in text:
        raise ValueError("bad format of filter (expected name=value)")
    name, _, value = text.partition("=")
    return name.strip().lower(), value.strip()


READERS: dict[str, Callable[[str], Any]] = {
    "bool": parse_bool,
    "int": _int,
    "uint": _uint,
    "uint16": _uint16,
    "float": _float,
    "duration": _duration,
    "bytes": _bytes,
    "decimal": _decimal,
    "string": str,
}
_ZERO: dict[str, object] = {
    "bool": False,
    "float": 0.0,
    "string": "",
    **dict.fromkeys(("int", "uint", "uint16", "duration", "bytes", "decimal"), 0),
}


def default_of(type_: str, text: str) -> Any:
    """Return the value of an option that was not given, from its declared default."""
    if type_ in READERS:
        return READERS[type_](text) if text else _ZERO[type_]
    return {} if type_ == "filter" else []


def add(type_: str, old: Any, new: Any) -> Any:
    """Put one more occurrence of an option to what is there already.

    Filters become `{name: {value: True}}`, as the engine takes them; scalars are replaced, and
    every other type is a list in the order of the command line.
    """
    if type_ in READERS:
        return new
    if type_ == "filter":
        name, value = new
        old.setdefault(name, {})[value] = True
        return old
    return old + new if type_ == "strings" else [*old, new]


def reader_of(type_: str) -> Callable[[str], Any]:
    """Return what reads one occurrence; types of docker's own stay text for their checks."""
    if type_ == "strings":
        return _strings
    if type_ == "filter":
        return _filter
    return READERS.get(type_, str)
