"""What the API has and this engine has not: swarms, managed plugins, checkpoints, pushing."""

from __future__ import annotations

import pytest

from harness.engine import Engine


@pytest.mark.parametrize("path", ["swarm", "nodes", "services", "tasks", "secrets", "configs"])
def test_there_is_no_swarm_to_ask(engine: Engine, path: str) -> None:
    answer = engine.api("GET", f"/{path}")
    assert answer.status == 503
    assert answer.message.startswith("This node is not a swarm manager.")


def test_there_is_no_swarm_to_leave(engine: Engine) -> None:
    answer = engine.api("POST", "/swarm/leave", query={"force": True})
    assert (answer.status, answer.message) == (503, "This node is not part of a swarm")


@pytest.mark.naru_only
def test_no_swarm_can_be_made(engine: Engine) -> None:
    assert engine.docker("swarm", "init").code == 1
    answer = engine.api("POST", "/swarm/init", {"ListenAddr": "127.0.0.1"})
    assert answer.status == 501


def test_there_are_no_plugins(engine: Engine) -> None:
    assert engine.api("GET", "/plugins").ok(200).json() == []
    answer = engine.api("GET", "/plugins/naru-test/json")
    assert (answer.status, answer.message) == (404, 'plugin "naru-test" not found')


@pytest.mark.naru_only
def test_checkpoints_are_refused(engine: Engine) -> None:
    container = engine.create("true")
    answer = engine.api("GET", f"/containers/{container}/checkpoints")
    assert answer.status == 501
    assert "checkpoints" in answer.message


@pytest.mark.naru_only
def test_pushing_is_refused(engine: Engine) -> None:
    pushed = engine.api("POST", "/images/naru-test/box/push", query={"tag": "latest"})
    assert (pushed.status, pushed.message) == (501, "this engine does not push images")
    said = engine.docker("push", "naru-test/box")
    assert said.code == 1
    assert said.err == "Error response from daemon: this engine does not push images\n"
