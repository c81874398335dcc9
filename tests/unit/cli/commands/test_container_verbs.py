"""Verbs on containers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from naru.errors import ConflictError, NotFoundError, NotModifiedError

Cli = Callable[..., Any]


@pytest.mark.parametrize(
    ("words", "path", "query"),
    [
        (["stop", "c"], "/containers/c/stop", {}),
        (["stop", "-t", "0", "-s", "INT", "c"], "/containers/c/stop", {"t": 0, "signal": "INT"}),
        (["restart", "-t", "3", "c"], "/containers/c/restart", {"t": 3}),
        (["kill", "c"], "/containers/c/kill", {}),
        (["kill", "-s", "9", "c"], "/containers/c/kill", {"signal": "9"}),
        (["pause", "a/b"], "/containers/a%2Fb/pause", {}),
        (["unpause", "c"], "/containers/c/unpause", {}),
    ],
)
def test_verb_is_sent_and_the_name_printed(
    cli: Cli, engine: Any, words: list[str], path: str, query: dict[str, Any]
) -> None:
    engine.on("POST", path, None)
    outcome = cli(*words)
    assert (outcome.code, outcome.out) == (0, words[-1] + "\n")
    assert engine.asked == [("POST", path, query, None)]


def test_nothing_to_do_is_success(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/containers/c/stop", NotModifiedError(""))
    assert cli("stop", "c").out == "c\n"


def test_empty_name_is_not_sent(cli: Cli, engine: Any) -> None:
    assert cli("stop", "").err == "invalid container name or ID: value is empty\n"
    assert cli("rm", "/").err == "container name cannot be empty\n"
    assert engine.asked == []


def test_forced_removal_of_nothing_is_success_with_a_word(cli: Cli, engine: Any) -> None:
    missing = NotFoundError("No such container: c")
    missing.reported = True
    engine.on("DELETE", "/containers/c", missing)
    assert cli("rm", "c").code == 1
    outcome = cli("rm", "-f", "c")
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err == "Error response from daemon: No such container: c\n"
    assert engine.asked[-1][2] == {"force": True}


def test_failed_rename_says_so_twice(cli: Cli, engine: Any) -> None:
    error = ConflictError("taken")
    error.reported = True
    engine.on("POST", "/containers/a/rename", error)
    assert cli("rename", "a", "b").err == (
        "Error response from daemon: taken\nError: failed to rename container named a\n"
    )
    assert cli("rename", "a", " ").err == "Error: Neither old nor new names may be empty\n"


def test_wait_prints_exit_codes_in_order(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/containers/a/wait", {"StatusCode": 3})
    engine.on("POST", "/containers/b/wait", {"StatusCode": 0, "Error": None})
    engine.on("POST", "/containers/c/wait", {"StatusCode": -1, "Error": {"Message": "gone"}})
    outcome = cli("wait", "a", "c", "b")
    assert (outcome.code, outcome.out, outcome.err) == (1, "3\n0\n", "gone\n")


def test_top_has_wide_columns_and_takes_options_of_ps(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/c/top", {"Titles": ["PID", "CMD"], "Processes": [["1", "sh -c"]]})
    assert cli("top", "c", "-o", "pid,cmd").out == f"PID{' ' * 17}CMD\n1{' ' * 19}sh -c\n"
    assert engine.asked[0][2] == {"ps_args": "-o pid,cmd"}
