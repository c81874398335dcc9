"""Command lines lead to the right command, or to docker's words about what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from naru.errors import ConflictError, NotFoundError, UnavailableError

Cli = Callable[..., Any]


def test_an_unknown_command_is_named(cli: Cli) -> None:
    outcome = cli("xyz")
    assert outcome.code == 1
    assert outcome.err == (
        "naru: unknown command: naru xyz\n\nRun 'naru --help' for more information\n"
    )


def test_unknown_command_of_a_group(cli: Cli) -> None:
    outcome = cli("image", "tomcat")
    assert outcome.code == 1
    assert outcome.err == (
        "naru: unknown command: naru image tomcat\nDid you mean 'naru images tomcat'?\n\n"
        "Usage:  naru image\n\n"
        "Run 'naru image --help' for more information\n"
    )


@pytest.mark.parametrize("words", [(), ("container",)])
def test_nothing_asked_shows_help_on_stderr(cli: Cli, words: tuple[str, ...]) -> None:
    outcome = cli(*words)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.startswith("Usage:  naru ")


@pytest.mark.parametrize(
    "words", [("ps", "--help"), ("--help", "ps"), ("help", "ps"), ("ps", "-a", "--help", "x")]
)
def test_help_asked_is_on_stdout(cli: Cli, words: tuple[str, ...]) -> None:
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("Usage:  naru ps [OPTIONS]\n\nList containers\n")


def test_help_is_shown_where_it_is_listed_among_the_options(cli: Cli) -> None:
    assert cli("run", "--rm", "--help").out.startswith("Usage:  naru run [OPTIONS] IMAGE")
    assert cli("container", "create", "--help").code == 0


def test_alias_shows_the_name_it_stands_for(cli: Cli) -> None:
    assert cli("container", "list", "--help").out.startswith("Usage:  naru container ls [OPTIONS]")


def test_old_short_help_still_works(cli: Cli) -> None:
    assert cli("ps", "-h").out.startswith(
        "Flag shorthand -h has been deprecated, use --help\nUsage:  naru ps"
    )


def test_an_unknown_help_topic_is_named(cli: Cli) -> None:
    assert cli("help", "container", "nosuch").err == "unknown help topic: nosuch\n"


def test_root_options_are_checked(cli: Cli) -> None:
    assert cli("--bogus").code == 125
    assert cli("-l", "foo", "ps").err == "Unable to parse logging level: foo\n"
    assert cli("-H", "unix:///a", "-H", "unix:///b", "ps").err == (
        "Failed to initialize: unable to resolve docker endpoint: Specify only one -H\n"
    )


def test_the_version_has_two_options(cli: Cli) -> None:
    assert cli("--version").out.startswith("Naru version ")
    assert cli("-v").code == 0


def test_error_of_the_engine_has_dockers_prefix(cli: Cli, engine: Any) -> None:
    error = ConflictError("boom")
    error.reported = True
    engine.on("GET", "/containers/json", error)
    outcome = cli("ps")
    assert (outcome.code, outcome.err) == (1, "Error response from daemon: boom\n")


def test_error_of_the_connection_has_none(cli: Cli) -> None:
    outcome = cli("ps", environ={"NARU_HOST": "unix:///nope.sock"})
    assert outcome.code == 1
    assert outcome.err == (
        "Cannot connect to the Docker daemon at unix:///nope.sock. Is the docker daemon running?\n"
    )


def test_reader_that_went_away_is_no_error_message(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/containers/json", BrokenPipeError())
    assert cli("ps").err == ""


def test_an_unknown_context_is_named(cli: Cli) -> None:
    outcome = cli("--context", "foo", "ps")
    assert outcome.code == 1
    assert outcome.err.startswith(
        "Failed to initialize: unable to resolve docker endpoint: "
        'context "foo": context not found: open '
    )


def test_broken_config_is_a_warning(cli: Cli, engine: Any, tmp_path: Any) -> None:
    (tmp_path / "config.json").write_text("{")
    engine.on("GET", "/containers/json", [])
    outcome = cli("ps")
    assert outcome.code == 0
    assert outcome.err.startswith("WARNING: Error loading config file: parsing config file")


def test_partial_failure_goes_on_and_reports_at_the_end(cli: Cli, engine: Any) -> None:
    missing = NotFoundError("No such container: a")
    missing.reported = True
    engine.on("POST", "/containers/a/stop", missing)
    engine.on("POST", "/containers/b/stop", None)
    outcome = cli("stop", "a", "b")
    assert (outcome.code, outcome.out) == (1, "b\n")
    assert outcome.err == "Error response from daemon: No such container: a\n"


def test_unavailable_engine_still_shows_the_clients_version(cli: Cli, engine: Any) -> None:
    engine.on("GET", "/version", UnavailableError("no engine"))
    outcome = cli("version")
    assert outcome.code == 1
    assert outcome.out.startswith("Client: Naru\n Version:           ")
    assert outcome.err == "no engine\n"
