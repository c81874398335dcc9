"""How long to wait before a registry is asked again: as long as it asks for, within reason. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

_LONGEST_PAUSE_S = 30.0


def asked_pause_s(headers: Mapping[str, str], now_ns: int) -> float | None:
    """Return for how many seconds an answer asks, which may be negative; None if it does not.

    A date is reckoned from the `Date` of the same answer: the sender's clock may be wrong, but
    then both are. Without one it is reckoned from `now_ns`, when the answer came.

    Spec: RFC 9110, sections 5.6.7, 6.6.1 and 10.2.3.
    """
    wanted = headers.get("Retry-After", "").strip()
    if wanted.isascii() and wanted.isdecimal():
        return float(wanted)
    at = _date(wanted)
    if at is None:
        return None
    said_at = _date(headers.get("Date", ""))
    return at - (now_ns / 1e9 if said_at is None else said_at)


def pause_s(attempt: int, asked_s: float | None = None) -> float:
    """Return how long to wait after an attempt: as asked, or 1, 2, 4 … seconds; 30 at most.

    Who asks for no time at all, or for a moment that has passed, gets our own pause: it only
    grows while the failure lasts.
    """
    wanted = asked_s if asked_s is not None and asked_s > 0 else float(2 ** (attempt - 1))
    return min(wanted, _LONGEST_PAUSE_S)


def _date(text: str) -> float | None:
    """Return the seconds since 1970 of a date in any of HTTP's three forms."""
    try:
        date = parsedate_to_datetime(text)
        # The oldest form has no zone: HTTP knows only one.
        return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
