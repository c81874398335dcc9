"""The engine is killed while containers run, and everything goes on."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.engine import LABELS
from harness.narud import EngineUnderTest
from harness.ports import free_port
from harness.requirements import requires
from harness.waiting import eventually
from harness.wire import split_frames

pytestmark = requires("root", "crun", "conmon", "nft")

_COUNTER = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done"


def _policy(name: str, limit: int = 0) -> dict[str, Any]:
    return {"RestartPolicy": {"Name": name, "MaximumRetryCount": limit}}


def _greeting(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as stream:
        return stream.recv(64).decode()


def _greets(port: int) -> bool:
    try:
        return _greeting(port) == "hello\n"
    except OSError:
        return False


def _end(pid: int) -> None:
    """Kill a container's process, and wait until it is gone."""
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "it ended")


@pytest.mark.parametrize("how", ["kill9", "terminate"])
def test_containers_run_on_and_their_log_has_no_gap(own_engine: EngineUnderTest, how: str) -> None:
    engine = own_engine
    container = engine.up("sh", "-c", _COUNTER)
    before = engine.state(container)
    eventually(lambda: b"\n5\n" in engine.logs(container)["stdout"], "it counts")
    engine.restart(how=how)
    after = engine.state(container)
    assert (after["Pid"], after["StartedAt"]) == (before["Pid"], before["StartedAt"])
    assert after["Running"] is True
    numbers = engine.logs(container)["stdout"].split()
    eventually(lambda: len(engine.logs(container)["stdout"].split()) > len(numbers) + 5, "goes on")
    numbers = engine.logs(container)["stdout"].split()
    assert numbers == [b"%d" % number for number in range(1, len(numbers) + 1)]


def test_dockers_log_file_has_each_line_once_however_often_the_engine_is_killed(
    own_engine: EngineUnderTest,
) -> None:
    engine = own_engine
    script = "i=0; while [ ! -e /stop ]; do i=$((i+1)); seq ${i}0001 ${i}2000; sleep 0.3; done"
    config = {"Type": "json-file", "Config": {"max-size": "800k", "max-file": "99"}}
    container = engine.up("sh", "-c", script, host={"LogConfig": config})
    path = Path(engine.api("GET", f"/containers/{container}/json").json()["LogPath"])
    seen = 0
    for number in range(4):
        eventually(partial(_outgrew, path, seen), "the file grows")
        # Somewhere in a burst of the container's, or between two of them.
        time.sleep(0.05 + 0.1 * number)
        engine.kill9()
        seen = _size(path)
        engine.start_engine()
    engine.exec(container, "touch", "/stop")
    assert engine.wait(container) == 0
    older = [file for file in path.parent.glob(f"{path.name}*") if file != path]
    older.sort(key=lambda file: int(file.suffix[1:]), reverse=True)
    files = [*older, path]
    lines = [line for file in files for line in file.read_bytes().splitlines()]
    numbers = [int(json.loads(line)["log"]) for line in lines]
    rounds = numbers[-1] // 10000
    assert numbers == [i * 10000 + n for i in range(1, rounds + 1) for n in range(1, 2001)]
    assert len(files) > 1


def _outgrew(path: Path, size: int) -> bool:
    return _size(path) > size


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))


def test_sigterm_ends_the_engine_well_and_removes_its_socket(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up()
    pid = engine.state(container)["Pid"]
    assert engine.terminate() == 0
    assert not Path(engine.socket).exists()
    assert not (engine.root / "pid").exists()
    assert Path(f"/proc/{pid}").exists()
    engine.start_engine()
    assert engine.state(container)["Pid"] == pid


def test_an_engine_that_was_killed_leaves_nothing_in_the_way(own_engine: EngineUnderTest) -> None:
    for _ in range(3):
        own_engine.kill9()
        own_engine.start_engine()


def test_logs_and_attach_and_exec_work_after_a_restart(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up("sh", "-c", "while read line; do echo got $line; done", OpenStdin=True)
    engine.restart(how="kill9")
    query = {"stream": True, "stdin": True, "stdout": True}
    with engine.hijack(f"/containers/{container}/attach", query=query) as stream:
        stream.send(b"this\n")
        stream.read_until(b"got this\n")
    assert engine.exec(container, "sh", "-c", "echo inside; exit 3").code == 3
    follow = {"stdout": True, "follow": True}
    with engine.stream(f"/containers/{container}/logs", query=follow) as log:
        lines = log.lines()
        assert next(lines)[8:] == b"got this"
        with engine.hijack(f"/containers/{container}/attach", query=query) as stream:
            stream.send(b"more\n")
            assert next(lines)[8:] == b"got more"


def test_a_terminal_works_after_a_restart(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up("sh", Tty=True, OpenStdin=True)
    engine.restart(how="kill9")
    query = {"stream": True, "stdin": True, "stdout": True}
    with engine.hijack(f"/containers/{container}/attach", query=query) as stream:
        engine.api("POST", f"/containers/{container}/resize", query={"h": 44, "w": 122}).ok(200)
        stream.send(b"stty size; exit 5\n")
        assert b"44 122" in stream.read_all()
    assert engine.wait(container) == 5


def test_wait_works_after_a_restart(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up("sh", "-c", "sleep 2; exit 12")
    engine.restart(how="kill9")
    assert engine.wait(container) == 12


@pytest.mark.parametrize(("script", "code"), [("exit 37", 37), ("kill -9 $$", 137)])
def test_an_exit_without_an_engine_is_seen_with_its_true_code(
    own_engine: EngineUnderTest, script: str, code: int
) -> None:
    engine = own_engine
    gate = engine.root / "gate"
    os.mkfifo(gate)
    host = {"Binds": [f"{engine.root}:/gate"], "Init": True}
    container = engine.up("sh", "-c", f"read x < /gate/gate; {script}", host=host)
    pid = engine.state(container)["Pid"]
    engine.kill9()
    gate.write_text("go\n")
    eventually(lambda: not Path(f"/proc/{pid}").exists(), "it ended")
    eventually((engine.exec_root / "exits" / container).exists, "somebody has seen it")
    found_at = time.time()
    engine.start_engine()
    state = engine.await_status(container, "exited")
    assert state["ExitCode"] == code
    finished = subprocess.run(
        ["date", "-d", state["FinishedAt"], "+%s.%N"], capture_output=True, text=True, check=True
    )
    assert float(finished.stdout) <= found_at, "the end is when it ended, not when it was found"


def test_auto_remove_holds_without_an_engine(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    before = engine.footprint()
    container = engine.up(host={"AutoRemove": True}, Volumes={"/data": {}})
    pid = engine.state(container)["Pid"]
    engine.kill9()
    _end(pid)
    engine.start_engine()
    eventually(lambda: engine.api("GET", f"/containers/{container}/json").status == 404, "removed")
    engine.comes_back_to(before, "a kill")


def test_published_ports_never_close(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    port = free_port()
    container = engine.up(
        "nc",
        "-ll",
        "-p",
        "7000",
        "-e",
        "echo",
        "hello",
        host={"PortBindings": {"7000/tcp": [{"HostPort": str(port)}]}},
        ExposedPorts={"7000/tcp": {}},
    )
    eventually(lambda: _greets(port), "the port answers")
    engine.kill9()
    assert _greets(port), "without an engine"
    engine.start_engine()
    assert _greets(port), "with the next engine"
    other = engine.create(
        "true",
        host={"PortBindings": {"7000/tcp": [{"HostPort": str(port)}]}},
        ExposedPorts={"7000/tcp": {}},
    )
    answer = engine.api("POST", f"/containers/{other}/start")
    assert answer.status == 500, "the port is still held"
    engine.remove(container)
    engine.start(other)


def test_addresses_are_not_given_twice(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    first = [engine.up() for _ in range(3)]
    engine.restart(how="kill9")
    second = [engine.up() for _ in range(3)]
    addresses = [
        engine.inspect(container)["NetworkSettings"]["IPAddress"] for container in first + second
    ]
    assert len(set(addresses)) == 6
    assert "" not in addresses


def test_restart_policies_resume(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    always = engine.up("sh", "-c", "echo run; sleep 1000", host=_policy("always"))
    limited = engine.up(
        "sh",
        "-c",
        "test -e /again && exit 3; touch /again; sleep 1000",
        host=_policy("on-failure", 1),
    )
    plain = engine.up()
    eventually(lambda: engine.exec(limited, "test", "-e", "/again").code == 0, "it has run once")
    pids = [engine.state(container)["Pid"] for container in (always, limited, plain)]
    engine.kill9()
    for pid in pids:
        _end(pid)
    engine.start_engine()
    eventually(lambda: engine.state(always)["Pid"] not in (0, pids[0]), "it is back")
    eventually(lambda: engine.inspect(limited)["RestartCount"] == 1, "it was tried again")
    assert engine.await_status(limited, "exited")["ExitCode"] == 3
    assert engine.await_status(plain, "exited")["ExitCode"] == 137


def test_an_end_that_was_missed_is_not_that_of_the_next_run(own_engine: EngineUnderTest) -> None:
    """What one container has to be tidied up for long must not outdate what is known of others."""
    engine = own_engine
    script = (
        "until test -e /go; do sleep 0.02; done; yes loud | head -n 1000000; touch /done; sleep 99"
    )
    log = {"LogConfig": {"Type": "json-file", "Config": {"max-size": "999m"}}}
    loud = engine.up("sh", "-c", script, host=log)
    brief = engine.up("sh", "-c", "echo run; sleep 1000", host=_policy("on-failure", 1))
    pids = [engine.state(container)["Pid"] for container in (loud, brief)]
    root = Path(f"/proc/{pids[0]}/root")
    engine.kill9()
    # Nobody looks after the log now, and the next engine has all of it to do.
    (root / "go").touch()
    eventually((root / "done").exists, "it is written")
    for pid in pids:
        _end(pid)
    engine.start_engine()
    assert engine.await_status(loud, "exited")["ExitCode"] == 137
    assert engine.await_status(brief, "running")["Pid"] != pids[1]
    assert engine.inspect(brief)["RestartCount"] == 1
    eventually(lambda: engine.logs(brief)["stdout"] == b"run\nrun\n", "it has begun anew")


def test_what_was_stopped_stays_down(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    stopped = engine.up(host=_policy("unless-stopped"))
    always = engine.up(host=_policy("always"))
    for container in (stopped, always):
        engine.api("POST", f"/containers/{container}/stop", query={"t": 0}).ok(204)
    engine.restart(how="kill9")
    time.sleep(0.5)
    assert engine.state(stopped)["Status"] == "exited"
    # Docker's `always` means: also when it was stopped, once the engine starts anew.
    engine.await_status(always, "running")


def test_a_paused_container_stays_paused(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    engine.restart(how="kill9")
    assert engine.state(container)["Status"] == "paused"
    engine.api("POST", f"/containers/{container}/unpause").ok(204)
    assert engine.exec(container, "true").code == 0


def test_a_running_exec_survives(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up()
    body = {"Cmd": ["sh", "-c", "sleep 2; echo done > /made"]}
    exec_id = engine.api("POST", f"/containers/{container}/exec", body).ok(201).json()["Id"]
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)
    engine.restart(how="kill9")
    eventually(lambda: engine.exec(container, "cat", "/made").out == "done\n", "it finished")


def test_a_conmon_that_was_killed_is_noticed(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    before = engine.footprint()
    container = engine.up()
    pid = engine.state(container)["Pid"]
    [monitor] = engine.monitors()
    os.kill(monitor, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    engine.await_status(container, "exited")
    engine.remove(container)
    engine.comes_back_to(before, "a kill")


def test_a_reboot_keeps_everything_but_what_ran(
    own_engine: EngineUnderTest, tmp_path: Path
) -> None:
    engine = own_engine
    before = engine.footprint()
    port = free_port()
    plain = engine.up("sh", "-c", "echo kept >> /file; cat /file; sleep 1000")
    always = engine.up(
        "sh",
        "-c",
        "echo run >> /file; cat /file; exec nc -ll -p 7000 -e echo hello",
        host={**_policy("always"), "PortBindings": {"7000/tcp": [{"HostPort": str(port)}]}},
        ExposedPorts={"7000/tcp": {}},
    )
    stopped = engine.up(host=_policy("unless-stopped"))
    engine.api("POST", f"/containers/{stopped}/stop", query={"t": 0}).ok(204)
    eventually(lambda: engine.logs(plain)["stdout"] == b"kept\n", "it wrote its file")
    eventually(lambda: _greets(port), "the port answers")
    engine.lose_power()
    assert not _greets(port)
    engine.start_engine()
    assert engine.state(plain)["Status"] == "exited"
    assert engine.state(stopped)["Status"] == "exited"
    engine.await_status(always, "running")
    eventually(lambda: _greets(port), "the port answers again")
    eventually(lambda: engine.logs(always)["stdout"] == b"run\nrun\nrun\n", "it said so")
    engine.start(plain)
    eventually(lambda: engine.logs(plain)["stdout"].endswith(b"kept\nkept\n"), "its file is there")
    engine.remove_all()
    engine.comes_back_to(before, "a kill")
    assert engine.sh("echo new").out == "new\n"


def test_a_second_engine_on_the_same_roots_is_refused(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up()
    second = subprocess.run(
        [word for word in engine.argv if not word.startswith("--pidfile")]
        + [f"--pidfile={engine.root}/other"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=engine.environ,
    )
    assert second.returncode == 1
    assert second.stderr.startswith("narud: ")
    assert engine.state(container)["Running"] is True


def test_the_kill_comes_while_much_is_going_on(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    before = engine.footprint()
    argv = ["sh", "-c", "for i in 1 2 3 4 5 6; do docker run --rm busybox sleep 0.1 & done; wait"]
    for delay in (0.05, 0.15, 0.3):
        with subprocess.Popen(argv, env=engine.environ, stderr=subprocess.DEVNULL) as busy:
            time.sleep(delay)
            engine.kill9()
            engine.start_engine()
            busy.wait(60)
    answer = engine.api("GET", "/containers/json", query={"all": True}).ok(200).json()
    for item in answer:
        query = {"force": True, "v": True}
        engine.api("DELETE", f"/containers/{item['Id']}", query=query).ok(204, 404)
    engine.comes_back_to(before, "a kill")
    assert engine.sh("echo fine").out == "fine\n"


def test_events_go_on_after_a_restart(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    engine.restart(how="kill9")
    since = time.time()
    done = engine.sh("true")
    actions = [event["Action"] for event in engine.events(since, container=[done.id])]
    assert actions[:2] == ["create", "start"]


def test_attached_clients_see_the_end(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.create("sh", "-c", "echo before; sleep 1000")
    query = {"stream": True, "stdout": True}
    with engine.hijack(f"/containers/{container}/attach", query=query) as stream:
        engine.start(container)
        stream.read_until(b"before\n")
        engine.kill9()
        assert split_frames(stream.read_all()) == {"stdout": b"", "stderr": b""}
    engine.start_engine()
    assert engine.state(container)["Running"] is True


def test_a_restart_that_was_cut_short_is_finished(own_engine: EngineUnderTest) -> None:
    own_engine.terminate()
    own_engine.start_engine(env={"NARU_FAULT": "engine.restart.after_stop=kill"})
    container = own_engine.up(host={"AutoRemove": True})
    first = own_engine.state(container)["Pid"]
    with contextlib.suppress(OSError, http.client.HTTPException):
        own_engine.api("POST", f"/containers/{container}/restart", query={"t": 0})
    own_engine.await_death()
    own_engine.start_engine()
    state = own_engine.await_status(container, "running")
    assert state["Pid"] not in (0, first)


def test_a_replacement_that_was_cut_short_is_finished(own_engine: EngineUnderTest) -> None:
    own_engine.terminate()
    own_engine.start_engine(env={"NARU_FAULT": "engine.replace.before_removal=kill"})
    own_engine.create("true", name="naru-test-other")
    old = own_engine.up(name="naru-test-web")
    body = {"Image": "busybox:latest", "Labels": LABELS}
    query = {"name": "naru-test-web", "replace": True}
    with contextlib.suppress(OSError, http.client.HTTPException):
        own_engine.api("POST", "/containers/create", body, query=query)
    own_engine.await_death()
    own_engine.start_engine()
    state = own_engine.inspect("naru-test-web")
    assert state["Id"] != old
    assert state["State"]["Status"] == "created"
    assert len(own_engine.containers()) == 2
    own_engine.start("naru-test-web")


@pytest.mark.parametrize(
    ("point", "is_new"),
    [
        ("after_intent", False),
        ("after_making", False),
        ("after_switch", False),
        ("after_launch", True),
        ("after_commit", True),
    ],
)
def test_a_recreation_that_was_cut_short_leaves_the_old_or_the_new_one_running(
    own_engine: EngineUnderTest, point: str, is_new: bool
) -> None:
    engine = own_engine
    engine.terminate()
    engine.start_engine(env={"NARU_FAULT": f"engine.recreate.{point}=kill"})
    before = engine.footprint()
    old = engine.up(name="naru-test-web", Env=["A=1"], Volumes={"/v": {}})
    engine.exec(old, "sh", "-c", "echo mine > /layer; echo mine > /v/f")
    change = {"Env": ["A=2"], "Volumes": {"/w": {}}, "HostConfig": {"AutoRemove": True}}
    with contextlib.suppress(OSError, http.client.HTTPException):
        query = {"t": 0, "wait": 9}
        engine.api("POST", f"/containers/{old}/recreate", change, query=query, version="")
    engine.await_death()
    engine.start_engine()
    state = engine.await_status("naru-test-web", "running")
    found = engine.exec("naru-test-web", "sh", "-c", "echo $A; cat /layer /v/f; ls -d /w")
    assert found.out == ("2\nmine\nmine\n/w\n" if is_new else "1\nmine\nmine\n")
    assert engine.inspect("naru-test-web")["HostConfig"]["AutoRemove"] is is_new
    # And nothing is in the way of another try.
    query = {"t": 0, "wait": 9}
    eventually(
        lambda: (
            engine.api("POST", f"/containers/{old}/recreate", change, query=query).status == 200
        ),
        "it can be recreated again",
    )
    assert engine.state(old)["Pid"] != state["Pid"]
    engine.remove_all()
    engine.comes_back_to(before, "a kill")
