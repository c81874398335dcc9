"""Wait: registered before the answer begins, told the truth at the end."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from harness.engine import Engine


class _Waiter(threading.Thread):
    """Waits in the background."""

    def __init__(self, engine: Engine, container: str, condition: str | None) -> None:
        super().__init__()
        self._engine, self._container, self._condition = engine, container, condition
        self.answer: Any = None
        self.start()

    def run(self) -> None:
        path = f"/containers/{self._container}/wait"
        query = {"condition": self._condition}
        self.answer = self._engine.api("POST", path, query=query, timeout_s=30)

    def result(self) -> Any:
        self.join(30)
        assert self.answer is not None, "the wait never ended"
        return self.answer.ok(200).json()


def test_a_stopped_container_is_not_waited_for(engine: Engine) -> None:
    done = engine.sh("exit 6")
    assert engine.wait(done.id) == 6
    assert engine.wait(done.id, "not-running") == 6


def test_a_container_that_never_ran_is_not_running(engine: Engine) -> None:
    assert engine.wait(engine.create("true"), "not-running") == 0


def test_next_exit_waits_for_the_next_one(engine: Engine) -> None:
    container = engine.create("sh", "-c", "exit 9")
    query = {"condition": "next-exit"}
    path = f"/v{engine.version}/containers/{container}/wait"
    # The head of the answer says that the wait is registered; only then is it safe to start.
    with engine.hijack(f"/containers/{container}/wait", query=query) as waiter:
        assert waiter.status == 200, path
        engine.start(container)
        assert b'"StatusCode":9' in waiter.read_until(b"}")


def test_removed_waits_for_the_removal(engine: Engine) -> None:
    container = engine.create("sh", "-c", "exit 8", host={"AutoRemove": True})
    with engine.hijack(f"/containers/{container}/wait", query={"condition": "removed"}) as waiter:
        assert waiter.status == 200
        engine.start(container)
        assert b'"StatusCode":8' in waiter.read_until(b"}")
    assert engine.api("GET", f"/containers/{container}/json").status == 404


def test_removed_is_told_for_a_forced_removal(engine: Engine) -> None:
    container = engine.up()
    with engine.hijack(f"/containers/{container}/wait", query={"condition": "removed"}) as waiter:
        assert waiter.status == 200
        engine.remove(container)
        assert b'"StatusCode":137' in waiter.read_until(b"}")


def test_many_may_wait_for_one(engine: Engine) -> None:
    container = engine.up("sh", "-c", "sleep 0.5; exit 3")
    waiters = [_Waiter(engine, container, None) for _ in range(8)]
    assert {waiter.result()["StatusCode"] for waiter in waiters} == {3}


@pytest.mark.naru_only
def test_an_unknown_condition_is_refused(engine: Engine) -> None:
    container = engine.create("true")
    answer = engine.api("POST", f"/containers/{container}/wait", query={"condition": "bored"})
    assert answer.status == 400
    assert "bored" in answer.message


def test_waiting_for_nobody_is_not_found(engine: Engine) -> None:
    answer = engine.api("POST", "/containers/naru-test-nobody/wait")
    assert (answer.status, answer.message) == (404, "No such container: naru-test-nobody")
