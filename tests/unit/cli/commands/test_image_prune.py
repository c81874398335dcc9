"""`image prune`: what is asked of the engine, and what the user is asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Cli = Callable[..., Any]
_NOTHING = {"ImagesDeleted": None, "SpaceReclaimed": 0}


def test_tags_are_kept_by_a_filter_of_ours(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/images/prune", _NOTHING)
    words = ("-f", "-a", "--keep", "3", "--filter", "reference=app", "--filter", "until=1h")
    assert cli("image", "prune", *words).out == "Total reclaimed space: 0B\n"
    assert engine.asked[-1][2] == {
        "filters": {
            "dangling": {"false": True},
            "keep": {"3": True},
            "reference": {"app": True},
            "until": {"1h": True},
        }
    }


def test_the_question_tells_what_is_kept(cli: Cli, engine: Any) -> None:
    shown = cli("image", "prune", "-a", "--keep", "2").out
    assert shown == (
        "WARNING! This will remove all images without at least one container associated to them, "
        "but for the last 2 tags of each repository.\nAre you sure you want to continue? [y/N] "
    )
    assert engine.asked == []


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keep", "1"], "--keep is for tags, which go only with --all"),
        (["-a", "--keep", "0"], "--keep takes a number from 1, not 0"),
        (["-a", "--keep", "-2"], "--keep takes a number from 1, not -2"),
    ],
)
def test_a_number_that_makes_no_sense_is_refused(
    cli: Cli, engine: Any, words: list[str], message: str
) -> None:
    outcome = cli("image", "prune", "-f", *words)
    assert (outcome.code, outcome.err) == (1, f"{message}\n")
    assert engine.asked == []
