"""A new container that takes the name of another: nothing is lost when it cannot be made."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from harness.engine import LABELS, Engine

pytestmark = pytest.mark.naru_only
_NAME = "naru-test-replaced"


def _replace(engine: Engine, name: str | None = _NAME, **body: Any) -> Any:
    request = {"Image": "busybox:latest", "Cmd": ["sleep", "1000"], "Labels": LABELS}
    query = {"name": name, "replace": True}
    return engine.api("POST", "/containers/create", request | body, query=query)


def test_a_running_container_gives_way(engine: Engine) -> None:
    old = engine.up(name=_NAME)
    since = time.time()
    new = _replace(engine).ok(201).json()["Id"]
    assert engine.inspect(_NAME)["Id"] == new
    assert engine.state(_NAME)["Status"] == "created"
    assert engine.api("GET", f"/containers/{old}/json").status == 404
    assert engine.containers() == [new]
    events = engine.events(since, container=[_NAME])
    assert [event["Action"] for event in events] == ["kill", "die", "destroy", "create"]
    assert [event["Actor"]["ID"] for event in events] == [old, old, old, new]


def test_nobody_there_is_no_reason_not_to_begin(engine: Engine) -> None:
    new = _replace(engine).ok(201).json()["Id"]
    assert engine.inspect(_NAME)["Id"] == new


@pytest.mark.parametrize(
    "body",
    [
        {"Image": "naru-test/not-there"},
        {"HostConfig": {"Runtime": "nosuch"}},
        {"HostConfig": {"NetworkMode": "container:naru-test-nobody"}},
        {"HostConfig": {"Binds": ["relative/../path:/x:nonsense"]}},
    ],
)
def test_the_old_one_stays_as_it_was_when_the_new_one_cannot_be(
    engine: Engine, body: dict[str, Any]
) -> None:
    old = engine.up(name=_NAME)
    before = engine.state(old)
    assert _replace(engine, **body).status in (400, 404)
    assert engine.inspect(_NAME)["Id"] == old
    assert engine.state(old) == before
    assert engine.containers() == [old]


def test_a_name_must_be_given(engine: Engine) -> None:
    answer = _replace(engine, None)
    assert (answer.status, answer.message) == (400, "a container can be replaced by its name only")


def test_of_many_that_replace_each_other_one_is_left(engine: Engine) -> None:
    engine.up(name=_NAME)
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(_replace(engine))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert {answer.status for answer in answers} == {201}
    ids = {answer.json()["Id"] for answer in answers}
    [left] = engine.containers()
    assert left in ids
    assert engine.inspect(_NAME)["Id"] == left


def test_volumes_of_the_old_one_stay(engine: Engine) -> None:
    engine.up(name=_NAME, host={"Binds": ["naru-test-kept:/data"]})
    engine.exec(_NAME, "sh", "-c", "echo kept >/data/file")
    host = {"Binds": ["naru-test-kept:/data"]}
    new = _replace(engine, HostConfig=host).ok(201).json()["Id"]
    engine.start(new)
    assert engine.exec(new, "cat", "/data/file").out == "kept\n"
    engine.remove(new)
    engine.api("DELETE", "/volumes/naru-test-kept").ok(204)
