"""What the API has and this engine has not: swarms, managed plugins and checkpoints."""

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
