"""How Go's standard library reads numbers and comma-separated fields, with its error texts."""

from __future__ import annotations

from naru.cli.value_types import go_quote, parse_bool

__all__ = ["go_quote", "parse_bool", "parse_uint", "split_fields"]


def parse_uint(text: str, bits: int, base: int = 10) -> int:
    """Read an unsigned number.

    Raises:
        ValueError: in the words of Go's strconv.ParseUint.
    """
    problem = f"strconv.ParseUint: parsing {go_quote(text)}: "
    digits = "0123456789"[:base]
    if not text or any(char not in digits for char in text):
        raise ValueError(problem + "invalid syntax")
    number = int(text, base)
    if number >= 1 << bits:
        raise ValueError(problem + "value out of range")
    return number


def parse_int(text: str) -> int:
    """Read a signed 64-bit decimal.

    Raises:
        ValueError: in the words of Go's strconv.ParseInt.
    """
    problem = f"strconv.ParseInt: parsing {go_quote(text)}: "
    digits = text[1:] if text[:1] in ("+", "-") else text
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(problem + "invalid syntax")
    number = int(text)
    if not -(1 << 63) <= number < 1 << 63:
        raise ValueError(problem + "value out of range")
    return number


def why_no_int(text: str) -> str:
    """Return the last part of Go's error for a text that is no integer, or ""."""
    try:
        parse_int(text)
    except ValueError as error:
        return str(error).rpartition(": ")[2]
    return ""


def split_fields(line: str) -> list[str]:
    """Split one record of comma-separated values; a field may stand in double quotes.

    Raises:
        ValueError: in the words of Go's encoding/csv.
    """
    line = line.lstrip("\n")
    if not line:
        raise ValueError("EOF")
    fields: list[str] = []
    position = 0
    while True:
        if line[position : position + 1] == '"':
            field, position = _quoted(line, position + 1)
        else:
            end = _field_end(line, position)
            field = line[position:end]
            if '"' in field:
                column = position + field.index('"') + 1
                raise ValueError(
                    f'parse error on line 1, column {column}: bare " in non-quoted-field'
                )
            position = end
        fields.append(field)
        if line[position : position + 1] != ",":
            return fields
        position += 1


def _field_end(line: str, position: int) -> int:
    ends = [end for mark in ",\n" if (end := line.find(mark, position)) >= 0]
    return min(ends, default=len(line))


def _quoted(line: str, position: int) -> tuple[str, int]:
    """Read from behind an opening quote; return the field and where it ended."""
    parts: list[str] = []
    while (quote := line.find('"', position)) >= 0:
        parts.append(line[position:quote])
        after = line[quote + 1 : quote + 2]
        if after == '"':
            parts.append('"')
            position = quote + 2
            continue
        if after in ("", ",", "\n"):
            return "".join(parts), quote + 1
        raise ValueError(_BAD_QUOTE.format(quote + 1))
    raise ValueError(_BAD_QUOTE.format(len(line) + 1))


_BAD_QUOTE = 'parse error on line 1, column {}: extraneous or missing " in quoted-field'
