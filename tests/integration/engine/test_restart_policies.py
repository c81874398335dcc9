"""Restart policies: who is brought back, how often, and how soon."""

from __future__ import annotations

import itertools
import os
import signal
import time
from typing import Any

import pytest

from harness.engine import Engine
from harness.waiting import eventually


def _policy(name: str, limit: int = 0) -> dict[str, Any]:
    return {"RestartPolicy": {"Name": name, "MaximumRetryCount": limit}}


def _restarts(engine: Engine, container: str) -> int:
    return int(engine.inspect(container)["RestartCount"])


def test_always_brings_back_whatever_the_code(engine: Engine) -> None:
    container = engine.up("sh", "-c", "echo run; exit 0", host=_policy("always"))
    eventually(lambda: _restarts(engine, container) >= 2, "it came back twice")
    assert engine.logs(container)["stdout"].count(b"run\n") >= 2


def test_on_failure_leaves_success_alone(engine: Engine) -> None:
    container = engine.up("true", host=_policy("on-failure"))
    state = engine.await_status(container, "exited")
    time.sleep(0.5)
    assert engine.state(container) == state
    assert _restarts(engine, container) == 0


def test_on_failure_gives_up_at_its_limit(engine: Engine) -> None:
    container = engine.up("sh", "-c", "echo run; exit 5", host=_policy("on-failure", 2))
    eventually(
        lambda: engine.state(container)["Status"] == "exited" and _restarts(engine, container) == 2,
        "it gave up",
    )
    assert engine.state(container)["ExitCode"] == 5
    assert engine.logs(container)["stdout"] == b"run\nrun\nrun\n"


def test_the_wait_grows_from_restart_to_restart(engine: Engine) -> None:
    script = "cut -d' ' -f1 /proc/uptime; exit 1"
    container = engine.up("sh", "-c", script, host=_policy("on-failure", 4))
    eventually(lambda: _restarts(engine, container) == 4, "it came back four times")
    engine.await_status(container, "exited")
    at = [float(line) for line in engine.logs(container)["stdout"].split()]
    gaps = [later - earlier for earlier, later in itertools.pairwise(at)]
    # 100 ms, doubled each time, and what a start takes, which may be long for one of them.
    assert all(gap >= 0.1 * 2**number for number, gap in enumerate(gaps)), gaps
    assert gaps[3] > min(gaps[:2])


def test_restarting_is_a_state_of_its_own(engine: Engine) -> None:
    container = engine.up("sh", "-c", "exit 1", host=_policy("always"))
    state = engine.await_status(container, "restarting")
    assert (state["Restarting"], state["Running"]) == (True, True)


@pytest.mark.parametrize("policy", ["always", "unless-stopped"])
def test_a_stopped_container_stays_down(engine: Engine, policy: str) -> None:
    container = engine.up(host=_policy(policy))
    engine.api("POST", f"/containers/{container}/stop", query={"t": 0}).ok(204)
    time.sleep(0.4)
    assert engine.state(container)["Status"] == "exited"
    assert _restarts(engine, container) == 0


def test_a_container_in_its_back_off_can_be_stopped(engine: Engine) -> None:
    container = engine.up("sh", "-c", "exit 1", host=_policy("always"))
    eventually(lambda: _restarts(engine, container) >= 3, "the wait is long enough to hit")
    engine.api("POST", f"/containers/{container}/stop", query={"t": 0}).ok(204, 304)
    count = _restarts(engine, container)
    time.sleep(1.2)
    state = engine.state(container)
    assert state["Status"] == "exited"
    assert _restarts(engine, container) == count


def test_a_container_in_its_back_off_can_be_removed(engine: Engine) -> None:
    container = engine.up("sh", "-c", "exit 1", host=_policy("always"))
    eventually(lambda: _restarts(engine, container) >= 2, "it came back")
    engine.remove(container)
    assert engine.api("GET", f"/containers/{container}/json").status == 404


def test_a_killed_process_is_brought_back(engine: Engine) -> None:
    container = engine.up(host=_policy("always"))
    pid = engine.state(container)["Pid"]
    # Nobody asked the engine for it.
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: engine.state(container)["Pid"] not in (0, pid), "it is back")


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        ({"Name": "sometimes"}, "policy 'sometimes'"),
        ({"Name": "always", "MaximumRetryCount": 3}, "maximum retry count"),
        ({"Name": "on-failure", "MaximumRetryCount": -1}, "maximum retry count cannot be negative"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    engine: Engine, policy: dict[str, Any], words: str
) -> None:
    answer = engine.ask_to_create("true", host={"RestartPolicy": policy})
    assert answer.status == 400
    assert words in answer.message


def test_auto_remove_and_a_policy_exclude_each_other(engine: Engine) -> None:
    host = {"AutoRemove": True, **_policy("always")}
    answer = engine.ask_to_create("true", host=host)
    assert answer.status == 400
    assert answer.message == "can't create 'AutoRemove' container with restart policy"
