"""A container gets other options or another image, and is what it was when that goes wrong."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import LABELS, Engine
from harness.ports import free_port
from harness.waiting import eventually
from harness.wire import Response

pytestmark = pytest.mark.naru_only
_NAME = "naru-test-recreated"
_OTHER = "naru-test/other:1"
_VOLUMES = ("naru-test-named", "naru-test-gone")


@pytest.fixture(autouse=True)
def _clean(engine: Engine) -> Iterator[None]:
    yield
    engine.remove_all()
    for volume in _VOLUMES:
        engine.api("DELETE", f"/volumes/{volume}").ok(204, 404)
    engine.api("DELETE", f"/images/{_OTHER}", query={"force": True}).ok(200, 404)


def _recreate(engine: Engine, body: dict[str, Any], **query: object) -> Response:
    path = f"/containers/{_NAME}/recreate"
    return engine.api("POST", path, body, query={"t": 0, **query}, version="")


def _sh(engine: Engine, script: str) -> str:
    done = engine.exec(_NAME, "sh", "-c", script)
    assert done.code == 0, done
    return done.out.strip()


def _other_image(engine: Engine) -> None:
    layers = [busybox_layer(), Tree().file("from-other", "yes\n").tar()]
    config = {"Env": ["FROM_IMAGE=other"], "Cmd": ["sleep", "999"], "Labels": {"of": "image"}}
    engine.load(docker_archive([_OTHER], layers, config=config))


def test_a_running_container_changes_and_keeps_all_that_is_its_own(engine: Engine) -> None:
    port, other_port = free_port(), free_port()
    old = engine.up(
        name=_NAME,
        Env=["KEPT=1", "GONE=1", "CHANGED=1"],
        Volumes={"/anonymous": {}},
        ExposedPorts={"80/tcp": {}},
        host={
            "Binds": ["naru-test-named:/named", "naru-test-gone:/gone"],
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]},
            "Memory": 64 << 20,
            "RestartPolicy": {"Name": "always"},
        },
        Labels={"stays": "1", "goes": "1"},
    )
    _sh(engine, "for i in /layer /anonymous/f /named/f; do echo mine > $i; done")
    before = engine.inspect(_NAME)
    since = time.time()
    changes = {
        "Env": ["CHANGED=2", "NEW=1"],
        "Labels": {"new": "1"},
        "Volumes": {"/fresh": {}},
        "ExposedPorts": {"81/tcp": {}},
        "HostConfig": {
            "PortBindings": {"81/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(other_port)}]},
            "Binds": ["naru-test-named:/elsewhere:ro"],
            "Memory": 128 << 20,
        },
        "Remove": {
            "Env": ["GONE"],
            "Labels": ["goes"],
            "Ports": ["80"],
            "Mounts": ["/gone", "/named"],
        },
    }
    assert _recreate(engine, changes).ok(200).json() == {"Warnings": None}
    after = engine.inspect(_NAME)
    assert after["Id"] == old
    assert after["State"]["Running"] is True
    assert after["State"]["Pid"] != before["State"]["Pid"]
    assert after["NetworkSettings"]["IPAddress"] == before["NetworkSettings"]["IPAddress"]
    assert _sh(engine, "cat /layer /anonymous/f /elsewhere/f") == "mine\nmine\nmine"
    assert _sh(engine, 'echo "$KEPT $CHANGED $NEW ${GONE-none}"') == "1 2 1 none"
    assert _sh(engine, "ls -d /fresh /gone/f /named/f 2>/dev/null || true") == "/fresh"
    host = after["HostConfig"]
    assert list(host["PortBindings"]) == ["81/tcp"]
    assert list(after["NetworkSettings"]["Ports"]) == ["81/tcp"]
    assert (host["Memory"], host["MemorySwap"]) == (128 << 20, 256 << 20)
    assert host["RestartPolicy"]["Name"] == "always"
    labels = after["Config"]["Labels"]
    assert (labels.get("stays"), labels.get("new"), "goes" in labels) == ("1", "1", False)
    assert {mount["Destination"] for mount in after["Mounts"]} == {
        "/anonymous",
        "/elsewhere",
        "/fresh",
    }
    assert _actions(engine, old, since) == ["die", "stop", "start", "recreate"]


def _actions(engine: Engine, container: str, since: float) -> list[str]:
    events = engine.events(since, container=[container], type=["container"])
    actions = [event["Action"] for event in events]
    return [action for action in actions if not action.startswith(("exec_", "kill"))]


def test_another_image_brings_its_own_and_a_new_layer(engine: Engine) -> None:
    _other_image(engine)
    engine.up(name=_NAME, Volumes={"/data": {}}, Env=["MINE=1"])
    _sh(engine, "echo mine > /layer; echo mine > /data/f")
    problem = _recreate(engine, {"Image": _OTHER}, **{"keep-layer": True})
    assert problem.status == 409
    assert "cannot keep its writable layer" in problem.json()["message"]
    assert _sh(engine, "cat /layer") == "mine"
    [warning] = _recreate(engine, {"Image": _OTHER}).ok(200).json()["Warnings"]
    assert "writable layer is made anew" in warning
    assert _sh(engine, "cat /from-other /data/f; test ! -e /layer") == "yes\nmine"
    assert _sh(engine, "echo $FROM_IMAGE $MINE") == "other 1"
    # The command was the container's own, so it stays; what was the old image's would not.
    view = engine.inspect(_NAME)
    assert view["Config"]["Image"] == _OTHER
    assert view["Config"]["Labels"]["of"] == "image"
    assert view["Config"]["Cmd"] == ["sleep", "1000"]
    _sh(engine, "echo new > /layer")
    changed = engine.api("GET", f"/containers/{_NAME}/changes").ok(200).json()
    assert {"Path": "/layer", "Kind": 1} in changed
    # And back again, with another restart in between.
    engine.api("POST", f"/containers/{_NAME}/restart", query={"t": 0}).ok(204)
    assert _sh(engine, "cat /layer") == "new"
    _recreate(engine, {"Image": "busybox:latest"}).ok(200)
    assert _sh(engine, "cat /data/f; test ! -e /from-other; test ! -e /layer") == "mine"


def test_a_container_that_does_not_start_is_what_it_was(engine: Engine) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        old = engine.up(name=_NAME, host={"AutoRemove": True})
        _sh(engine, "echo mine > /layer")
        before = engine.inspect(_NAME)
        volumes = engine.api("GET", "/volumes").ok(200).json()["Volumes"] or []
        _other_image(engine)
        for body in (
            {"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": port}]}}},
            {"Cmd": ["/no/such/program"], "Volumes": {"/new": {}}},
            {"Image": _OTHER, "Cmd": ["/no/such/program"]},
        ):
            answer = _recreate(engine, body)
            assert answer.status >= 400
            assert answer.json()["message"].endswith("it is as it was before")
            after = engine.inspect(_NAME)
            assert after["Id"] == old
            for field in ("Config", "HostConfig", "Image", "Mounts"):
                assert after[field] == before[field], field
            assert _sh(engine, "cat /layer") == "mine"
    left = engine.api("GET", "/volumes").ok(200).json()["Volumes"] or []
    assert [volume["Name"] for volume in left] == [volume["Name"] for volume in volumes]
    # It is still to be removed at its end.
    engine.api("POST", f"/containers/{_NAME}/kill").ok(204)
    eventually(lambda: engine.api("GET", f"/containers/{old}/json").status == 404, "removed")


def test_what_must_be_healthy_and_is_not_is_gone_back_from(engine: Engine) -> None:
    engine.up(name=_NAME)
    pid = engine.state(_NAME)["Pid"]
    check = {"Test": ["CMD", "test", "-e", "/ok"], "Interval": 10**8, "Retries": 2}
    answer = _recreate(engine, {"Healthcheck": check}, wait=30)
    assert answer.status == 500
    assert "it is unhealthy; it is as it was before" in answer.json()["message"]
    view = engine.inspect(_NAME)
    assert view["State"]["Running"] is True
    assert view["State"]["Pid"] != pid
    assert "Healthcheck" not in view["Config"]
    _sh(engine, "touch /ok")
    _recreate(engine, {"Healthcheck": check}, wait=30).ok(200)
    assert engine.state(_NAME)["Health"]["Status"] == "healthy"
    short = _recreate(
        engine, {"Cmd": ["sleep", "0.3"], "Healthcheck": {"Interval": 10**10}}, wait=9
    )
    assert "it ended with exit code 0 before it was healthy" in short.json()["message"]
    assert engine.inspect(_NAME)["Config"]["Healthcheck"]["Interval"] == 10**8


def test_a_container_that_does_not_run_changes_and_does_not_start(engine: Engine) -> None:
    engine.create("sh", "-c", "echo $A", name=_NAME, Env=["A=1"])
    # Its programs are in the new volume, or there are none.
    _recreate(engine, {"Env": ["A=2"], "Volumes": {"/bin": {}}}).ok(200)
    assert engine.state(_NAME)["Status"] == "created"
    assert engine.inspect(_NAME)["Config"]["Labels"] == LABELS
    engine.start(_NAME)
    assert engine.wait(_NAME) == 0
    assert engine.logs(_NAME)["stdout"] == b"2\n"
    assert _recreate(engine, {"Env": ["A=3"]}, wait=5).status == 409
    assert _recreate(engine, {"Env": ["A=3"]}, wait=-5).status == 400


def test_who_joins_it_and_who_waits_for_it_still_does(engine: Engine) -> None:
    engine.up(name=_NAME)
    script = "until nc 127.0.0.1 7000 </dev/null; do sleep 0.05; done"
    friend = engine.create("sh", "-c", script, host={"NetworkMode": f"container:{_NAME}"})
    _recreate(engine, {"Cmd": ["nc", "-ll", "-p", "7000", "-e", "echo", "hi"]}).ok(200)
    engine.start(friend)
    engine.wait(friend)
    assert engine.logs(friend)["stdout"] == b"hi\n"


@pytest.mark.parametrize(
    ("body", "status", "problem"),
    [
        ({"HostConfig": {"NoSuch": 1}}, 400, "unknown field HostConfig.NoSuch"),
        ({"Remove": {"Env": ["NONE"]}}, 400, "the container has no environment variable NONE"),
        ({"Remove": {"Labels": ["none"]}}, 400, "the container has no label none"),
        ({"Remove": {"Ports": ["9"]}}, 400, "the container does not publish port 9/tcp"),
        ({"Remove": {"Mounts": ["/none"]}}, 400, "the container has no mount at /none"),
        ({"Image": "naru-test/none"}, 404, "No such image: naru-test/none:latest"),
        ({"HostConfig": {"Runtime": "none"}}, 400, "unknown or invalid runtime name: none"),
        ({"HostConfig": {"StorageOpt": {"size": "1G"}}}, 400, "storage options are those of"),
        (
            {"HostConfig": {"AutoRemove": True, "RestartPolicy": {"Name": "always"}}},
            400,
            "can't create 'AutoRemove' container with restart policy",
        ),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_stops(
    engine: Engine, body: dict[str, Any], status: int, problem: str
) -> None:
    engine.up(name=_NAME)
    before = engine.inspect(_NAME)
    answer = _recreate(engine, body)
    assert (answer.status, answer.json()["message"][: len(problem)]) == (status, problem)
    assert engine.inspect(_NAME) == before
