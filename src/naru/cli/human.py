"""Times, sizes, port lists and widths as people read them.

Spec: docker/go-units (HumanDuration, HumanSizeWithPrecision); docker/cli, formatter/container.go
(DisplayablePorts), formatter/displayutils.go.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_MINUTE = 60
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
ELLIPSIS = "…"


def duration(seconds: float) -> str:
    """Say how long something lasted: `2 minutes`, `About an hour`."""
    whole = int(seconds)
    if whole < 1:
        return "Less than a second"
    if whole == 1:
        return "1 second"
    if whole < _MINUTE:
        return f"{whole} seconds"
    minutes = whole // _MINUTE
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    # Hours round to the nearest, as Docker's do.
    hours = int(seconds / _HOUR + 0.5)
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if hours < 24 * 7 * 2:
        return f"{hours // 24} days"
    if hours < 24 * 30 * 2:
        return f"{hours // 24 // 7} weeks"
    if hours < 24 * 365 * 2:
        return f"{hours // 24 // 30} months"
    return f"{int(seconds / _HOUR) // 24 // 365} years"


def ago(seconds: float) -> str:
    """Say how long ago."""
    return f"{duration(seconds)} ago"


def size(count: float, digits: int = 3) -> str:
    """Print bytes in powers of 1000 with so many significant digits: `1.98MB`."""
    step, names = 0, ("B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB")
    while count >= 1000.0 and step < len(names) - 1:
        count /= 1000.0
        step += 1
    return f"{go_g(count, digits)}{names[step]}"


def go_g(number: float, digits: int) -> str:
    """Print as Go's %.<digits>g; its exponent has two digits as Python's has."""
    return f"{number:.{digits}g}"


def char_width(char: str) -> int:
    """Return the columns that a character takes on a terminal, as docker counts them."""
    if char < "\u1100":
        return 1
    from unicodedata import east_asian_width

    return 2 if east_asian_width(char) in "FW" else 1


def truncate(text: str, width: int) -> str:
    """Cut a text to `width` columns, the last of them an ellipsis when something was cut."""
    if width <= 0:
        return ""
    if len(text) <= width and text.isascii():
        return text
    if width == 1:
        return text[:1]
    total, keep = 0, 0
    for number, char in enumerate(text):
        total += char_width(char)
        if total <= width - 1:
            keep = number + 1
        elif total > width:
            return text[:keep] + ELLIPSIS
    return text


def short_id(identity: str) -> str:
    """Return twelve characters of an id, a digest's algorithm dropped."""
    return identity.rpartition(":")[2][:12] if ":" in identity else identity[:12]


def quote_command(text: str) -> str:
    """Quote a command as Go's strconv.Quote."""
    from naru.cli.value_types import go_quote

    return go_quote(text)


def ports(published: Iterable[dict[str, Any]]) -> str:
    """Print a container's ports; neighbours with the same mapping become a range.

    Items are the API's `{"IP", "PrivatePort", "PublicPort", "Type"}`.
    """
    groups: dict[tuple[str, str], tuple[int, int]] = {}
    ranges: list[tuple[str, str, int, int]] = []
    singles: list[tuple[int, str]] = []
    for port in sorted(published, key=_port_order):
        private, public = port.get("PrivatePort", 0), port.get("PublicPort", 0)
        address, kind = port.get("IP", ""), port.get("Type", "")
        if address and public != private:
            singles.append((private, f"{_join(address, public)}->{private}/{kind}"))
            continue
        key = (address, kind)
        if key not in groups:
            groups[key] = (private, private)
        elif private == groups[key][1] + 1:
            groups[key] = (groups[key][0], private)
        else:
            ranges.append((*key, *groups[key]))
            groups[key] = (private, private)
    shown = [_print_range(*item) for item in ranges]
    shown += [_print_range(*key, *groups[key]) for key in groups]
    shown += [text for _, text in sorted(singles, key=lambda item: item[0])]
    return ", ".join(shown)


def _port_order(port: dict[str, Any]) -> tuple[int, str, int, str]:
    return (
        port.get("PrivatePort", 0),
        port.get("IP", ""),
        port.get("PublicPort", 0),
        port.get("Type", ""),
    )


def _join(address: str, port: object) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _print_range(address: str, kind: str, first: int, last: int) -> str:
    span = f"{first}" if first == last else f"{first}-{last}"
    return f"{_join(address, span)}->{span}/{kind}" if address else f"{span}/{kind}"
