"""Moments as tables and events print them, in the user's time zone."""

from __future__ import annotations

import time


def go_string(seconds: float, nanoseconds: int = 0) -> str:
    """Print as Go's Time.String: `2026-11-21 07:28:24 +0000 UTC`."""
    moment = time.localtime(seconds)
    fraction = f".{nanoseconds:09d}".rstrip("0").rstrip(".") if nanoseconds else ""
    return time.strftime(f"%Y-%m-%d %H:%M:%S{fraction} %z %Z", moment)


def seconds_of(text: str) -> float:
    """Read a moment as the API writes it: RFC 3339 in UTC, with any number of digits.

    Raises:
        ValueError: it is none.
    """
    from calendar import timegm

    whole, _, _ = text.removesuffix("Z").partition(".")
    return float(timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")))


def rfc3339(seconds: int, fraction: str = "") -> str:
    """Print as RFC 3339 with the local offset, `Z` for none."""
    moment = time.localtime(seconds)
    offset = time.strftime("%z", moment)
    zone = "Z" if offset == "+0000" else f"{offset[:3]}:{offset[3:]}"
    return time.strftime(f"%Y-%m-%dT%H:%M:%S{fraction}", moment) + zone


def rfc3339_nano(nanoseconds: int) -> str:
    """Print with all nine digits, as events are printed."""
    seconds, rest = divmod(nanoseconds, 10**9)
    return rfc3339(seconds, f".{rest:09d}")
