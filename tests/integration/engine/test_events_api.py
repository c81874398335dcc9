"""Events: what happened, in order, live or looked up."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.waiting import eventually


def _actions(events: list[dict[str, Any]]) -> list[str]:
    return [event["Action"] for event in events]


def test_a_containers_life_is_told_in_order(engine: Engine) -> None:
    since = time.time()
    done = engine.sh("exit 3", name="naru-test-told", Labels={"kind": "test"})
    engine.remove(done.id)
    events = engine.events(since, container=[done.id], type=["container"])
    assert [action for action in _actions(events) if action != "attach"] == [
        "create",
        "start",
        "die",
        "destroy",
    ]
    die = next(event for event in events if event["Action"] == "die")
    assert (die["Type"], die["scope"], die["status"], die["id"]) == (
        "container",
        "local",
        "die",
        done.id,
    )
    attributes = die["Actor"]["Attributes"]
    assert attributes["exitCode"] == "3"
    assert attributes["name"] == "naru-test-told"
    assert attributes["image"] == "busybox:latest"
    assert attributes["kind"] == "test"
    assert die["Actor"]["ID"] == done.id
    assert abs(die["time"] - time.time()) < 60
    assert die["timeNano"] // 10**9 == die["time"]


def test_networks_take_part(engine: Engine) -> None:
    since = time.time()
    done = engine.sh("true")
    events = engine.events(since, type=["network"], container=[done.id])
    assert set(_actions(events)) <= {"connect", "disconnect"}

    def both() -> bool:
        return {"connect", "disconnect"} <= {
            event["Action"]
            for event in engine.events(since, type=["network"])
            if event["Actor"]["Attributes"].get("container") == done.id
        }

    eventually(both, "connect and disconnect are told")


def test_live_events_come_as_they_happen(engine: Engine) -> None:
    query = {"filters": {"event": ["create"], "type": ["container"]}}
    with engine.stream("/events", query=query) as stream:
        timer = threading.Timer(0.3, engine.create, ("true",), {"name": "naru-test-live"})
        timer.start()
        names = (json.loads(line)["Actor"]["Attributes"]["name"] for line in stream.lines())
        assert "naru-test-live" in names
        timer.join()


def test_signals_and_pauses_are_told(engine: Engine) -> None:
    since = time.time()
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    engine.api("POST", f"/containers/{container}/unpause").ok(204)
    engine.api("POST", f"/containers/{container}/kill", query={"signal": "KILL"}).ok(204)
    engine.wait(container)
    actions = _actions(engine.events(since, container=[container]))
    for action in ("pause", "unpause", "kill", "die"):
        assert action in actions
    kill = next(e for e in engine.events(since, container=[container]) if e["Action"] == "kill")
    assert kill["Actor"]["Attributes"]["signal"] == "9"


def test_execs_and_renames_are_told(engine: Engine) -> None:
    since = time.time()
    container = engine.up(name="naru-test-old-name")
    engine.exec(container, "true")
    query = {"name": "naru-test-new-name"}
    engine.api("POST", f"/containers/{container}/rename", query=query).ok(204)
    events = engine.events(since, container=[container])
    actions = _actions(events)
    # Docker ends the words with a space when there are no arguments.
    assert [word.strip() for word in actions if word.startswith("exec_") and ":" in word] == [
        "exec_create: true",
        "exec_start: true",
    ]
    rename = next(event for event in events if event["Action"] == "rename")
    assert rename["Actor"]["Attributes"]["oldName"] == "/naru-test-old-name"


def test_filters_choose_by_label_image_and_event(engine: Engine) -> None:
    since = time.time()
    engine.sh("true", Labels={"naru-kind": "yes"})
    engine.sh("true")
    events = engine.events(since, label=["naru-kind=yes"], event=["start"])
    assert _actions(events) == ["start"]
    starts = engine.events(since, image=["busybox:latest"], event=["start"])
    assert len(starts) >= 2


def test_bad_times_and_filters_are_refused(engine: Engine) -> None:
    answer = engine.api("GET", "/events", query={"since": "yesterday", "until": "1"})
    assert answer.status in (400, 500)
    answer = engine.api("GET", "/events", query={"filters": "{", "until": "1"})
    assert answer.status in (400, 500)


def test_a_time_that_ends_before_it_begins_is_refused(engine: Engine) -> None:
    answer = engine.api("GET", "/events", query={"since": "200", "until": "100"})
    assert answer.status == 400
    assert answer.message == "`since` time (200) cannot be after `until` time (100)"


def test_the_past_outlives_the_engine(own_engine: EngineUnderTest) -> None:
    since = time.time()
    done = own_engine.sh("exit 4")
    own_engine.restart(how="kill9")
    own_engine.remove(done.id)
    events = own_engine.events(since, container=[done.id])
    assert _actions(events) == ["create", "start", "die", "destroy"]
    moments = [event["timeNano"] for event in events]
    assert moments == sorted(moments)
