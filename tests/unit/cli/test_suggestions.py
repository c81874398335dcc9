"""Slips of the hand are recognised; what is merely another word is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.cli.spec import index
from naru.cli.suggestions import distance, instead_of_command, near

Cli = Callable[..., Any]
_WORDS = st.text("abc", max_size=6)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("log", "'naru logs'"),
        ("rnu", "'naru run'"),
        ("inspekt", "'naru inspect'"),
        ("contianer", "'naru container'"),
        ("hist", "'naru history'"),
        ("network disconnet", "'naru network disconnect'"),
        ("network ps", "'naru ps'"),
        ("container images", "'naru images'"),
        ("disconnect", "'naru network disconnect'"),
        ("ls", "'naru container ls', 'naru image ls', 'naru network ls' or 'naru volume ls'"),
        (
            "remove",
            "'naru container rm', 'naru image rm', 'naru network rm' or 'naru volume rm'",
        ),
        ("image tomcat", "'naru images tomcat'"),
    ],
)
def test_the_command_that_was_meant_is_named(typed: str, meant: str) -> None:
    assert instead_of_command(typed.split()) == f"\nDid you mean {meant}?"


def test_of_dockers_commands_it_is_said_that_they_are_not_here(cli: Cli) -> None:
    assert cli("swarm", "init").err.startswith(
        "naru: unknown command: naru swarm\ndocker has such a command, Naru has not\n\nRun"
    )
    # Near to 'login', by its letters.
    assert "Did you mean" not in instead_of_command(["plugin"])
    assert "'naru build' builds" in instead_of_command(["buildx"])


@pytest.mark.parametrize("typed", ["xyz", "x", "container tomcat", "nosuchthing"])
def test_nothing_is_guessed_that_is_far_away(typed: str) -> None:
    assert instead_of_command(typed.split()) == ""


def test_options_are_named_below_dockers_words(cli: Cli) -> None:
    slip = cli("ps", "--formta", "json")
    assert slip.code == 125
    assert slip.err.startswith("unknown flag: --formta\nDid you mean --format?\n\nUsage:  naru ps")
    assert "Did you mean --no-trunc?" in cli("image", "ls", "--no", "-trunc").err
    assert "Did you mean" not in cli("ps", "--bogus").err


def test_a_printed_dash_is_no_hyphen_with_and_without_a_blank(cli: Cli) -> None:
    for words in (("—digests",), ("—", "digests")):
        outcome = cli("image", "ls", *words)
        assert outcome.code == 125
        assert "Did you mean --digests? — is no hyphen." in outcome.err
    assert "Did you mean --name? — is no hyphen." in cli("run", "—", "name", "x", "busybox").err


def test_each_command_is_the_nearest_to_itself() -> None:
    for path in index.COMMANDS:
        assert near(path, index.COMMANDS)[0] == path


@given(_WORDS, _WORDS)
def test_distances_are_the_same_both_ways_and_none_only_to_oneself(one: str, other: str) -> None:
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance(one, other) <= max(len(one), len(other))
