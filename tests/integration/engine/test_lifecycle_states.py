"""What each operation does in the states between running and gone, and what is told of it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.waiting import eventually


def _actions(engine: Engine, container: str, since: float) -> list[tuple[str, dict[str, str]]]:
    events = engine.events(since, container=[container])
    return [(event["Action"], event["Actor"]["Attributes"]) for event in events]


def _backing_off(engine: Engine) -> str:
    """Return a container that waits seconds for its next restart."""
    host = {"RestartPolicy": {"Name": "always"}, "NetworkMode": "none"}
    container = engine.up("false", host=host)

    def probe() -> bool:
        found = engine.inspect(container)
        assert found["RestartCount"] >= 5, found["RestartCount"]
        return bool(found["State"]["Status"] == "restarting")

    eventually(probe, "it backs off")
    return container


def test_a_container_in_its_back_off_is_running_and_refuses_what_needs_a_process(
    engine: Engine,
) -> None:
    container = _backing_off(engine)
    state = engine.state(container)
    assert (state["Running"], state["Restarting"], state["Pid"]) == (True, True, 0)
    assert state["ExitCode"] == 1
    path = f"/containers/{container}"
    assert engine.api("POST", f"{path}/start").status == 304
    assert engine.api("DELETE", path).status == 409
    for verb in ("pause", "exec", "top", "attach"):
        method = "GET" if verb == "top" else "POST"
        body = {"Cmd": ["true"]} if verb == "exec" else None
        answer = engine.api(method, f"{path}/{verb}", body)
        assert answer.status == 409, verb
    assert engine.wait(container) == 1
    # Any signal ends the waiting, and with it the container.
    engine.api("POST", f"{path}/kill", query={"signal": "USR1"}).ok(204)
    state = engine.await_status(container, "exited")
    assert (state["Running"], state["Restarting"], state["ExitCode"]) == (False, False, 1)


def test_signals_that_are_none_are_refused(engine: Engine) -> None:
    container = engine.up()
    for signal, part in (("NOPE", "Invalid signal: NOPE"), ("99", "does not support signal 99")):
        answer = engine.api("POST", f"/containers/{container}/kill", query={"signal": signal})
        # 20.10 took the second for a fault of its own.
        assert answer.status in (400, 500)
        assert part.lower() in answer.message.lower()
    assert engine.state(container)["Status"] == "running"


def test_a_restart_is_told_as_a_stop_and_a_start(engine: Engine) -> None:
    container = engine.up()
    since = time.time()
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    told = [action for action, _ in _actions(engine, container, since)]
    assert [action for action in told if action not in ("connect", "disconnect")] == [
        *("kill", "kill", "die", "stop", "start", "restart"),
    ]


def test_what_is_not_running_is_started_by_a_restart_without_a_stop(engine: Engine) -> None:
    container = engine.create("sleep", "1000")
    since = time.time()
    engine.api("POST", f"/containers/{container}/restart").ok(204)
    assert [action for action, _ in _actions(engine, container, since)] == ["start", "restart"]


def _up_with_trap(engine: Engine, at_term: str, **config: Any) -> str:
    """Return a container that does something at SIGTERM, and is ready for it."""
    script = f"trap '{at_term}' TERM; echo ready; while :; do sleep 0.05; done"
    container = engine.up("sh", "-c", script, **config)
    eventually(lambda: b"ready" in engine.logs(container)["stdout"], "the trap is set")
    return container


def test_stopping_a_paused_container_lets_it_go_on(engine: Engine) -> None:
    container = _up_with_trap(engine, "exit 5")
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    since = time.time()
    engine.api("POST", f"/containers/{container}/stop", query={"t": 20}).ok(204)
    told = _actions(engine, container, since)
    assert [action for action, _ in told] == ["kill", "unpause", "die", "stop"]
    assert told[0][1]["signal"] == "15"
    assert told[2][1]["exitCode"] == "5"
    assert engine.state(container)["ExitCode"] == 5


def test_stop_without_a_limit_waits_for_the_process(engine: Engine) -> None:
    container = _up_with_trap(engine, "sleep 1; exit 6", StopTimeout=0)
    engine.api("POST", f"/containers/{container}/stop", query={"t": -1}).ok(204)
    assert engine.state(container)["ExitCode"] == 6


def test_the_containers_own_timeout_holds_when_none_is_asked_for(engine: Engine) -> None:
    container = _up_with_trap(engine, "", StopTimeout=0)
    engine.api("POST", f"/containers/{container}/stop").ok(204)
    assert engine.state(container)["ExitCode"] == 137


def _told(engine: Engine, container: str, since: float, action: str) -> dict[str, str]:
    def probe() -> dict[str, str]:
        told = dict(_actions(engine, container, since))
        assert action in told, told
        return told[action]

    return eventually(probe, f"{action} is told")


def test_detaching_is_told(engine: Engine) -> None:
    since = time.time()
    container = engine.create("sh", OpenStdin=True, Tty=True)
    query = {"stream": True, "stdin": True, "stdout": True, "stderr": True}
    with engine.hijack(f"/containers/{container}/attach", query=query) as stream:
        engine.start(container)
        stream.send(b"\x10\x11")
        stream.read_all()
    assert _told(engine, container, since, "detach")["image"] == "busybox:latest"


@pytest.mark.naru_only
def test_detaching_from_an_exec_is_told(engine: Engine) -> None:
    # It is among Docker's events, but 20.10 never sends it.
    container = engine.up()
    since = time.time()
    streams = {"AttachStdin": True, "AttachStdout": True, "AttachStderr": True}
    body = {"Cmd": ["sh"], "Tty": True, **streams}
    exec_id = engine.api("POST", f"/containers/{container}/exec", body).ok(201).json()["Id"]
    with engine.hijack(f"/exec/{exec_id}/start", {"Detach": False, "Tty": True}) as stream:
        stream.send(b"\x10\x11")
        stream.read_all()
    assert _told(engine, container, since, "exec_detach")["execID"] == exec_id


def test_a_look_at_the_processes_is_told(engine: Engine) -> None:
    container = engine.up()
    since = time.time()
    engine.api("GET", f"/containers/{container}/top").ok(200)
    assert [action for action, _ in _actions(engine, container, since)] == ["top"]


def test_a_removal_that_fails_leaves_a_dead_container_that_can_be_removed(
    make_engine: Callable[..., EngineUnderTest],
) -> None:
    engine = make_engine(env={"NARU_FAULT": "engine.remove.before_row=raise"})
    container = engine.create("true", name="naru-test-dead")
    query = {"condition": "removed"}
    with engine.hijack(f"/containers/{container}/wait", query=query) as waiter:
        answer = engine.api("DELETE", f"/containers/{container}")
        text = waiter.read_until(b"}}")
    told = json.loads(text[text.index(b"{") :])
    assert told["StatusCode"] == -1
    assert "fault injected" in told["Error"]["Message"]
    assert answer.status == 500
    assert answer.message.startswith('cannot remove container "/naru-test-dead": fault injected')
    state = engine.state(container)
    assert (state["Status"], state["Dead"], state["Running"]) == ("dead", True, False)
    assert "fault injected" in state["Error"]
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status == 409
    assert answer.message == "container is marked for removal and cannot be started"
    [item] = engine.api("GET", "/containers/json", query={"all": True}).ok(200).json()
    assert (item["State"], item["Status"]) == ("dead", "Dead")
    engine.api("DELETE", f"/containers/{container}").ok(204)
    assert engine.api("GET", f"/containers/{container}/json").status == 404


@pytest.mark.naru_only
def test_errors_of_kill_name_the_container(engine: Engine) -> None:
    answer = engine.api("POST", "/containers/naru-test-nobody/kill")
    assert (answer.status, answer.message) == (
        404,
        "cannot kill container: naru-test-nobody: No such container: naru-test-nobody",
    )
    container = engine.create("true", name="naru-test-idle")
    answer = engine.api("POST", "/containers/naru-test-idle/kill")
    assert (answer.status, answer.message) == (
        409,
        f"cannot kill container: naru-test-idle: container {container} is not running",
    )
