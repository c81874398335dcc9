"""Memory that runs out: who is killed, what is told of it, and when."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.waiting import eventually

_SMALL = {"Memory": 16 << 20, "MemorySwap": 16 << 20}


def _events(engine: Engine, container: str, since: float) -> list[str]:
    events = engine.events(since, container=[container], event=["oom", "die"])
    return [event["Action"] for event in events]


def _is_out(engine: Engine, container: str) -> Any:
    def probe() -> bool:
        return bool(engine.state(container)["OOMKilled"])

    return eventually(probe, "the engine has heard of it")


def test_a_container_that_is_killed_ends_with_137(engine: Engine) -> None:
    since = time.time()
    done = engine.run("tail", "/dev/zero", host=_SMALL)
    assert done.code == 137
    state = engine.state(done.id)
    assert (state["OOMKilled"], state["ExitCode"], state["Status"]) == (True, 137, "exited")
    events = _events(engine, done.id, since)
    assert events[-1] == "die"
    assert "oom" in events


def test_a_child_that_is_killed_is_told_while_the_container_goes_on(engine: Engine) -> None:
    since = time.time()
    container = engine.up(host=_SMALL)
    assert not engine.state(container)["OOMKilled"]
    assert engine.exec(container, "tail", "/dev/zero").code == 137
    eventually(lambda: _events(engine, container, since), "the event is there")
    assert set(_events(engine, container, since)) == {"oom"}
    state = engine.state(container)
    assert state["Status"] == "running"
    # Docker 20.10 knows of the first process only.
    assert state["OOMKilled"] or not engine.is_naru
    # It stays true after the end, and is forgotten at the next start.
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    assert not engine.state(container)["OOMKilled"] or not engine.is_naru


def test_an_ordinary_end_is_none(engine: Engine) -> None:
    done = engine.run("sh", "-c", "kill -9 $$", host=_SMALL)
    assert not engine.state(done.id)["OOMKilled"]


@pytest.mark.naru_only
def test_it_is_not_told_twice_by_the_next_engine(own_engine: EngineUnderTest) -> None:
    engine, since = own_engine, time.time()
    heard, unheard = engine.up(host=_SMALL), engine.up(host=_SMALL)
    engine.exec(heard, "tail", "/dev/zero")
    _is_out(engine, heard)
    told = _events(engine, heard, since)
    exec_id = engine.api(
        "POST",
        f"/containers/{unheard}/exec",
        {"Cmd": ["sh", "-c", "while [ ! -e /go ]; do sleep 0.05; done; tail /dev/zero; > /went"]},
    ).json()["Id"]
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)
    pid = engine.state(unheard)["Pid"]
    engine.kill9()
    with open(f"/proc/{pid}/root/go", "w"):
        pass
    eventually(lambda: _exists(f"/proc/{pid}/root/went"), "it was killed")
    engine.start_engine()
    assert engine.state(unheard)["OOMKilled"]
    assert _events(engine, unheard, since) == ["oom"]
    assert engine.state(heard)["OOMKilled"]
    assert _events(engine, heard, since) == told


def _exists(path: str) -> bool:
    try:
        with open(path):
            return True
    except OSError:
        return False
