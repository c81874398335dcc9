"""What a watched table puts on a terminal, and what counts as a change."""

from __future__ import annotations

from typing import Any

import pytest

from naru.cli.commands.ps_watch import screen, what_counts


def test_a_screen_is_written_over_and_what_was_below_is_cleared() -> None:
    assert screen("a\nbc\n", None) == "\x1b[Ha\x1b[K\nbc\x1b[K\n\x1b[J"


def test_what_does_not_fit_is_left_out() -> None:
    assert screen("abcdef\nb\nc\n", (3, 4)) == "\x1b[Habcd\x1b[K\nb\x1b[K\n\x1b[J"


def _item(**changes: Any) -> dict[str, Any]:
    item = {"Id": "a", "Names": ["/x"], "State": "running", "Status": "Up 3 seconds", "Ports": []}
    return item | changes


def test_passing_time_is_no_change() -> None:
    assert what_counts(_item()) == what_counts(_item(Status="Up 4 minutes"))
    assert what_counts(_item(Status="Exited (3) 1 second ago")) == what_counts(
        _item(Status="Exited (3) 2 hours ago")
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"Names": ["/y"]},
        {"State": "paused"},
        {"Status": "Up 3 seconds (healthy)"},
        {"Ports": [{"PrivatePort": 80, "Type": "tcp"}]},
    ],
)
def test_all_else_is_a_change(changes: dict[str, Any]) -> None:
    assert what_counts(_item()) != what_counts(_item(**changes))
