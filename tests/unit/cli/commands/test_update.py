"""`update` sends what was asked for, and goes on after a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from naru.errors import ConflictError

Cli = Callable[..., Any]


def test_only_what_was_asked_for_is_sent(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/containers/web/update", {"Warnings": None})
    words = ["-m", "64m", "--memory-swap", "-1", "--cpus", "1.5", "--pids-limit", "-1"]
    outcome = cli("update", *words, "--restart", "on-failure:3", "web")
    assert (outcome.code, outcome.out) == (0, "web\n")
    assert engine.asked[0][3] == {
        "Memory": 64 << 20,
        "MemorySwap": -1,
        "NanoCpus": 1_500_000_000,
        "PidsLimit": -1,
        "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 3},
    }


def test_warnings_come_after_the_names_and_failures_last(cli: Cli, engine: Any) -> None:
    error = ConflictError("Cannot update container")
    error.reported = True
    engine.on("POST", "/containers/one/update", error)
    engine.on("POST", "/containers/two/update", {"Warnings": ["careful"]})
    outcome = cli("update", "-c", "512", "one", "two")
    assert (outcome.code, outcome.out) == (1, "two\ncareful\n")
    assert outcome.err == "Error response from daemon: Cannot update container\n"


def test_nothing_to_change_is_an_error(cli: Cli, engine: Any) -> None:
    outcome = cli("update", "web")
    assert outcome.code == 1
    assert outcome.err == "you must provide one or more flags when using this command\n"
    assert engine.asked == []


def test_ports_are_sent_to_engines_of_ours_alone(cli: Cli, engine: Any) -> None:
    engine.on("POST", "/containers/web/update", {"Warnings": None})
    words = ("update", "--publish-add", "8081:80", "--publish-rm", "8080/tcp", "web")
    engine.server_headers = {"server": "Docker/28"}
    assert '"--publish-add" is for Naru engines' in cli(*words).err
    assert engine.asked == []
    engine.server_headers = {"server": "Naru/0.1"}
    assert cli(*words).code == 0
    assert engine.asked[-1][3] == {
        "PublishAdd": {"80/tcp": [{"HostIp": "", "HostPort": "8081"}]},
        "PublishRemove": ["8080/tcp"],
    }


def test_a_port_that_is_none_is_refused_before_anything_is_asked(cli: Cli, engine: Any) -> None:
    outcome = cli("update", "--publish-add", "8081:banana", "web")
    assert outcome.code == 125
    assert "invalid containerPort: banana" in outcome.err
    assert engine.asked == []
