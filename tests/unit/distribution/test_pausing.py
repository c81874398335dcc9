"""How long registries may make us wait, in whatever way they say it."""

from __future__ import annotations

import pytest

from naru.distribution.pausing import asked_pause_s, pause_s

_NOW_S = 784_111_777
"""Sun, 06 Nov 1994 08:49:37 GMT"""


def _asked(wanted: str, date: str = "", *, now_s: int = _NOW_S) -> float | None:
    headers = {"Retry-After": wanted, **({"Date": date} if date else {})}
    return asked_pause_s(headers, now_s * 10**9)


@pytest.mark.parametrize(
    "date",
    [
        "Sun, 06 Nov 1994 08:50:07 GMT",
        "Sunday, 06-Nov-94 08:50:07 GMT",
        "Sun Nov  6 08:50:07 1994",
    ],
)
def test_dates_are_read_in_all_forms_of_http(date: str) -> None:
    assert _asked(date) == 30


def test_a_date_is_reckoned_by_the_clock_of_who_sent_it() -> None:
    wanted, date = "Sun, 06 Nov 1994 08:50:07 GMT", "Sun, 06 Nov 1994 08:50:02 GMT"
    for our_clock in (0, _NOW_S, 4 * _NOW_S):
        assert _asked(wanted, date, now_s=our_clock) == 5
    assert _asked(wanted, "yesterday") == 30


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-1", "1.5", "٣", "1e3", "Sun, 99 Nov 1994 08:49:37 GMT", "\0", "9" * 20 + " GMT"],
)
def test_what_is_neither_seconds_nor_a_date_asks_for_nothing(text: str) -> None:
    assert _asked(text) is None
    assert asked_pause_s({}, 0) is None


def test_pauses_grow_and_are_bounded_whatever_is_asked_for() -> None:
    assert [pause_s(attempt) for attempt in range(1, 8)] == [1, 2, 4, 8, 16, 30, 30]
    assert pause_s(1, _asked("7")) == 7
    for long in ("86400", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"):
        assert pause_s(1, _asked(long)) == 30


@pytest.mark.parametrize(
    "wanted", ["0", "Sun, 06 Nov 1994 08:49:37 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"]
)
def test_who_asks_for_no_patience_is_not_pestered(wanted: str) -> None:
    assert pause_s(3, _asked(wanted)) == 4
