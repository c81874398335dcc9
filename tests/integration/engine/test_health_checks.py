"""Health checks: probes, what they make of a container, and what is told of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.waiting import eventually

_MS = 10**6
# Healthy as long as there is no such file.
_SICK_IF = ["CMD-SHELL", "echo asked; ! test -e /tmp/sick"]


def _check(test: list[str], interval_ms: int = 100, **more: Any) -> dict[str, Any]:
    return {"Test": test, "Interval": interval_ms * _MS, **more}


def _health(engine: Engine, container: str) -> dict[str, Any]:
    health = engine.state(container).get("Health")
    assert isinstance(health, dict), "there is no health"
    return health


def _await_health(engine: Engine, container: str, status: str) -> dict[str, Any]:
    def probe() -> dict[str, Any]:
        health = _health(engine, container)
        assert health["Status"] == status, health
        return health

    return eventually(probe, f"{container[:12]} is {status}")


def _summary(engine: Engine, container: str, **filters: list[str]) -> list[Any]:
    query = {"all": True, "filters": {"id": [container], **filters}}
    answer = engine.api("GET", "/containers/json", query=query).ok(200).json()
    assert isinstance(answer, list)
    return answer


def test_probes_make_a_container_healthy_and_sick_and_well_again(engine: Engine) -> None:
    since = time.time()
    # The first probe waits until what holds before it has been looked at.
    probe = ["CMD-SHELL", f"until test -e /tmp/go; do sleep 0.02; done; {_SICK_IF[1]}"]
    container = engine.create("sleep", "1000", Healthcheck=_check(probe, 300, Retries=2))
    assert "Health" not in engine.state(container)
    engine.start(container)
    first = _health(engine, container)
    assert (first["Status"], first["FailingStreak"], first["Log"]) == ("starting", 0, [])
    assert _summary(engine, container)[0]["Status"].endswith(" (health: starting)")
    engine.exec(container, "touch", "/tmp/go")
    well = _await_health(engine, container, "healthy")
    assert well["FailingStreak"] == 0
    assert well["Log"][0]["ExitCode"] == 0
    assert well["Log"][0]["Output"] == "asked\n"
    assert well["Log"][0]["Start"] < well["Log"][0]["End"]
    assert _summary(engine, container, health=["healthy"])[0]["Status"].endswith(" (healthy)")
    assert not _summary(engine, container, health=["unhealthy"])
    engine.exec(container, "touch", "/tmp/sick")
    sick = _await_health(engine, container, "unhealthy")
    assert sick["FailingStreak"] >= 2
    assert _summary(engine, container, health=["unhealthy"])[0]["Status"].endswith(" (unhealthy)")
    eventually(lambda: len(_health(engine, container)["Log"]) == 5, "five results")
    engine.exec(container, "rm", "/tmp/sick")
    _await_health(engine, container, "healthy")
    assert len(_health(engine, container)["Log"]) == 5
    told = [event["Action"] for event in engine.events(since, container=[container])]
    assert [word for word in told if word.startswith("health_status")] == [
        "health_status: healthy",
        "health_status: unhealthy",
        "health_status: healthy",
    ]


def test_a_probe_is_told_as_an_exec(engine: Engine) -> None:
    since = time.time()
    container = engine.up(Healthcheck=_check(["CMD", "true", "it", "is"]))
    _await_health(engine, container, "healthy")

    def told() -> list[dict[str, Any]]:
        events = engine.events(since, container=[container])
        assert any(event["Action"] == "exec_die" for event in events)
        return [event for event in events if event["Action"].startswith("exec_")]

    created, started, died = eventually(told, "the probe has ended")[:3]
    assert created["Action"] == "exec_create: true it is"
    assert started["Action"] == "exec_start: true it is"
    assert died["Action"] == "exec_die"
    assert died["Actor"]["Attributes"]["exitCode"] == "0"
    ids = {event["Actor"]["Attributes"]["execID"] for event in (created, started, died)}
    assert len(ids) == 1


def test_a_probe_that_takes_too_long_is_killed_and_counts_as_failed(engine: Engine) -> None:
    words = ["CMD-SHELL", "echo so far; sleep 4711 & sleep 4712"]
    container = engine.up(Healthcheck=_check(words, Timeout=300 * _MS, Retries=1))
    sick = _await_health(engine, container, "unhealthy")
    assert sick["Log"][0]["ExitCode"] == -1
    assert sick["Log"][0]["Output"].startswith("Health check exceeded timeout (300ms)")


@pytest.mark.naru_only
def test_probes_that_hang_do_not_pile_up(engine: Engine) -> None:
    words = ["CMD-SHELL", "sleep 4711 & sleep 4712"]
    container = engine.up(Healthcheck=_check(words, 50, Timeout=100 * _MS))
    eventually(lambda: len(_health(engine, container)["Log"]) == 5, "five probes")
    answer = engine.api("GET", f"/containers/{container}/top").ok(200).json()
    # The container's own process, and at most one probe with its two children.
    assert len(answer["Processes"]) <= 4
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    assert (
        _health(engine, container)["Log"][-1]["Output"] == "Health check exceeded timeout (100ms)"
    )


def test_a_probe_that_cannot_start_is_a_failure_with_the_reason(engine: Engine) -> None:
    container = engine.up(Healthcheck=_check(["CMD", "naru-no-such-program"], Retries=1))
    sick = _await_health(engine, container, "unhealthy")
    assert sick["Log"][0]["ExitCode"] != 0
    assert "naru-no-such-program" in sick["Log"][0]["Output"]
    assert engine.state(container)["Status"] == "running"


def test_long_output_is_cut(engine: Engine) -> None:
    words = ["CMD-SHELL", "head -c 5000 /dev/zero | tr '\\0' x"]
    container = engine.up(Healthcheck=_check(words))
    well = _await_health(engine, container, "healthy")
    assert well["Log"][0]["Output"] == "x" * 4096 + "..."


@pytest.mark.naru_only
def test_failures_while_it_starts_are_forgiven_and_it_is_asked_often(engine: Engine) -> None:
    check = _check(["CMD", "false"], 3_600_000, Retries=1)
    check |= {"StartPeriod": 60_000 * _MS, "StartInterval": 50 * _MS}
    ids = {version: engine.up(Healthcheck=check, version=version) for version in ("1.43", "1.44")}
    try:
        # Before 1.44 there was no interval for the start.
        assert "StartInterval" not in engine.inspect(ids["1.43"])["Config"]["Healthcheck"]
        new = ids["1.44"]
        eventually(lambda: len(_health(engine, new)["Log"]) >= 3, "it is asked")
        health = _health(engine, new)
        assert (health["Status"], health["FailingStreak"]) == ("starting", 0)
        assert not _health(engine, ids["1.43"])["Log"]
    finally:
        for container in ids.values():
            engine.remove(container)


def test_a_paused_container_is_not_asked(engine: Engine) -> None:
    container = engine.up(Healthcheck=_check(["CMD", "true"], 100))
    _await_health(engine, container, "healthy")
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    state = engine.state(container)
    assert state["Health"]["Status"] == "unhealthy"
    assert _summary(engine, container)[0]["Status"].endswith(" (Paused)")
    time.sleep(0.5)
    assert engine.state(container)["Health"] == state["Health"]
    engine.api("POST", f"/containers/{container}/unpause").ok(204)
    _await_health(engine, container, "healthy")


def test_an_end_is_the_end_of_health_and_a_start_begins_anew(engine: Engine) -> None:
    # What lets probes end is in memory, so that those of the next run wait for it again.
    probe = ["CMD-SHELL", "until test -e /gate/go; do sleep 0.02; done"]
    container = engine.up(Healthcheck=_check(probe, 100), host={"Tmpfs": {"/gate": ""}})
    engine.exec(container, "touch", "/gate/go")
    _await_health(engine, container, "healthy")
    engine.api("POST", f"/containers/{container}/stop", query={"t": 0}).ok(204)
    ended = _health(engine, container)
    assert ended["Status"] == "unhealthy"
    assert ended["Log"]
    engine.start(container)
    fresh = _health(engine, container)
    assert (fresh["Status"], fresh["FailingStreak"]) == ("starting", 0)
    assert fresh["Log"] == ended["Log"]


def test_no_check_means_no_health(engine: Engine) -> None:
    container = engine.up(Healthcheck={"Test": ["NONE"]})
    assert "Health" not in engine.state(container)
    assert _summary(engine, container, health=["none"])
    assert "(" not in _summary(engine, container)[0]["Status"]
    answer = engine.api("GET", "/containers/json", query={"filters": {"health": ["fine"]}})
    assert answer.status == 400
    assert answer.message == "Unrecognised filter value for health: fine"


def test_times_that_cannot_be_are_refused(engine: Engine) -> None:
    for given, message in (
        ({"Interval": 1}, "Interval in Healthcheck cannot be less than 1ms"),
        ({"Timeout": 1}, "Timeout in Healthcheck cannot be less than 1ms"),
        ({"StartPeriod": 1}, "StartPeriod in Healthcheck cannot be less than 1ms"),
        ({"Retries": -1}, "Retries in Healthcheck cannot be negative"),
    ):
        answer = engine.ask_to_create(Healthcheck=given)
        assert (answer.status, answer.message) == (400, message)


@pytest.mark.naru_only
def test_an_unhealthy_container_is_killed_and_its_policy_brings_it_back(engine: Engine) -> None:
    check = _check(["CMD", "false"], Retries=1, OnFailure="kill")
    host = {"RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": 1}}
    container = engine.up(Healthcheck=check, host=host)
    assert engine.inspect(container)["Config"]["Healthcheck"]["OnFailure"] == "kill"
    state = engine.await_status(container, "exited")
    assert state["ExitCode"] == 137
    assert engine.inspect(container)["RestartCount"] == 1


@pytest.mark.naru_only
def test_an_unhealthy_container_is_stopped_for_good(engine: Engine) -> None:
    check = _check(_SICK_IF, Retries=1, OnFailure="stop")
    script = "trap 'exit 3' TERM; touch /tmp/sick; while :; do sleep 0.05; done"
    host = {"RestartPolicy": {"Name": "always"}}
    container = engine.up("sh", "-c", script, Healthcheck=check, host=host)
    state = engine.await_status(container, "exited")
    assert state["ExitCode"] == 3
    assert engine.inspect(container)["RestartCount"] == 0


@pytest.mark.naru_only
def test_an_unhealthy_container_is_restarted_though_it_has_no_policy(engine: Engine) -> None:
    check = _check(_SICK_IF, Retries=1, OnFailure="restart")
    container = engine.up(Healthcheck=check, StopSignal="SIGKILL")
    first = engine.state(container)["Pid"]
    _await_health(engine, container, "healthy")
    since = time.time()
    engine.exec(container, "touch", "/tmp/sick")

    def again() -> bool:
        pid = engine.state(container)["Pid"]
        return pid not in (0, first)

    eventually(again, "it runs anew")
    told = [event["Action"] for event in engine.events(since, container=[container])]
    assert "health_status: unhealthy" in told
    engine.remove(container)


@pytest.mark.naru_only
def test_bad_actions_are_refused(engine: Engine) -> None:
    for check, part in (
        ({"Test": ["CMD", "x"], "OnFailure": "cry"}, "invalid OnFailure in Healthcheck: 'cry'"),
        ({"OnFailure": "kill"}, "there is no health check"),
    ):
        answer = engine.ask_to_create(Healthcheck=check)
        assert answer.status == 400
        assert part in answer.message


@pytest.mark.naru_only
def test_healthy_can_be_waited_for(engine: Engine) -> None:
    container = engine.create("sleep", "1000", Healthcheck=_check(_SICK_IF, 300))
    with engine.hijack(f"/containers/{container}/wait", query={"condition": "healthy"}) as waiter:
        engine.start(container)
        assert b'{"StatusCode":0}' in waiter.read_until(b"}")
    assert _health(engine, container)["Status"] == "healthy"
    assert engine.wait(container, "healthy") == 0


@pytest.mark.naru_only
def test_waiting_for_what_will_not_be_healthy_ends_with_an_error(engine: Engine) -> None:
    path = "/containers/{}/wait"
    query = {"condition": "healthy"}
    plain = engine.up()
    answer = engine.api("POST", path.format(plain), query=query)
    assert answer.status == 400
    assert "no health check" in answer.message
    ends = engine.up("sh", "-c", "sleep 0.3; exit 7", Healthcheck=_check(["CMD", "false"]))
    answer = engine.api("POST", path.format(ends), query=query).ok(200)
    assert answer.json() == {
        "StatusCode": 7,
        "Error": {"Message": f"container {ends} ended with exit code 7 before it was healthy"},
    }
    answer = engine.api("POST", path.format(ends), query=query)
    assert (answer.status, answer.message) == (409, f"container {ends} is not running")


def test_many_containers_are_asked_every_second_and_requests_have_their_turn(
    make_engine: Callable[..., EngineUnderTest],
) -> None:
    engine = make_engine()
    check = _check(["CMD", "true"], 1000)
    host = {"NetworkMode": "none"}
    containers = [engine.up(Healthcheck=check, host=host) for _ in range(25)]
    for container in containers:
        _await_health(engine, container, "healthy")
    assert engine.sh("echo served").out == "served\n"


def test_health_goes_on_when_the_engine_is_killed(own_engine: EngineUnderTest) -> None:
    slow = _check(["CMD-SHELL", "echo $$ >/tmp/probe; sleep 4711"], Timeout=600_000 * _MS)
    hangs = own_engine.up(Healthcheck=slow)
    asked = own_engine.up(Healthcheck=_check(_SICK_IF, 200, Retries=1))
    _await_health(own_engine, asked, "healthy")
    own_engine.exec(asked, "touch", "/tmp/sick")
    _await_health(own_engine, asked, "unhealthy")
    eventually(lambda: own_engine.exec(hangs, "test", "-s", "/tmp/probe").code == 0, "it hangs")
    own_engine.restart(how="kill9")
    health = _health(own_engine, asked)
    assert health["Status"] == "unhealthy"
    assert health["FailingStreak"] >= 1
    own_engine.exec(asked, "rm", "/tmp/sick")
    _await_health(own_engine, asked, "healthy")

    def alone() -> bool:
        answer = own_engine.api("GET", f"/containers/{hangs}/top").ok(200).json()
        commands = [row[answer["Titles"].index("CMD")] for row in answer["Processes"]]
        return sum("4711" in words for words in commands) <= 2

    eventually(alone, "the probe of the dead engine is gone")


def test_what_is_to_follow_a_failure_follows_also_from_the_next_engine(
    own_engine: EngineUnderTest,
) -> None:
    own_engine.terminate()
    own_engine.start_engine(env={"NARU_FAULT": "engine.health.before_action=kill"})
    check = _check(["CMD", "false"], 200, Retries=1, OnFailure="kill")
    container = own_engine.up(Healthcheck=check)
    own_engine.await_death()
    own_engine.start_engine()
    assert own_engine.await_status(container, "exited")["ExitCode"] == 137
