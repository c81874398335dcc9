"""How the list says commands and lengths of time."""

from __future__ import annotations

import pytest

from naru.engine.containers.listing import command_text, human_duration

_DAY = 24 * 3600


@pytest.mark.parametrize(
    ("argv", "text"),
    [
        (["sleep", "1000"], "sleep 1000"),
        (["sh", "-c", "exit 3"], "sh -c 'exit 3'"),
        # Quotes in the argument stay; the program and what is empty get none.
        (["sh", "-c", "echo it's"], "sh -c 'echo it's'"),
        (["a b", "", "c"], "a b  c"),
        (["true"], "true"),
    ],
)
def test_commands_are_one_line(argv: list[str], text: str) -> None:
    assert command_text(argv) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (120, "2 minutes"),
        (3600, "About an hour"),
        (5 * 3600, "5 hours"),
        (3 * _DAY, "3 days"),
        (14 * _DAY, "2 weeks"),
        (60 * _DAY, "2 months"),
        (800 * _DAY, "2 years"),
    ],
)
def test_lengths_of_time_are_said_roughly(seconds: float, text: str) -> None:
    assert human_duration(seconds) == text
