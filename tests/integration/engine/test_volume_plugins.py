"""Volumes kept by a plugin: a program of its own, which may refuse, hang, or be gone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness import narud
from harness.archives import Tree
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually
from naru.volumes.plugin_protocol import Address, call

pytestmark = [requires("root"), pytest.mark.naru_only]
_PROGRAM = Path(__file__).parents[2] / "fakes" / "volume_plugin.py"


class Plugin:
    """A plugin `shelf` that can be stopped, started and spoilt."""

    def __init__(self, root: Path, sockets: Path) -> None:
        self.root, self.socket = root, sockets / "shelf.sock"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        argv = [sys.executable, str(_PROGRAM), str(self.root), str(self.socket)]
        self.process = subprocess.Popen(argv)
        eventually(self.socket.exists, "the plugin listens")
        # A socket of a plugin that was stopped is there, too.
        eventually(self._answers, "the plugin answers")

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            call(Address(path=str(self.socket)), "Plugin.Activate", {}, timeout_s=5)
            return True
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    @contextlib.contextmanager
    def spoilt(self, method: str, how: str) -> Iterator[None]:
        (self.root / "spoil").write_text(f"{method} {how}")
        try:
            yield
        finally:
            (self.root / "spoil").unlink()

    def users(self, volume: str) -> list[str]:
        state = json.loads((self.root / "state.json").read_text())
        return list(state[volume]["users"]) if volume in state else []

    def calls(self, method: str) -> list[dict[str, Any]]:
        lines = (self.root / "calls").read_text().splitlines()
        return [one for one in map(json.loads, lines) if one["method"] == f"VolumeDriver.{method}"]

    def mounts(self) -> list[str]:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        return [words[4] for words in map(str.split, lines) if words[4].startswith(str(self.root))]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plugin]:
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "sockets").mkdir()
    plugin = Plugin(folder / "root", folder / "sockets")
    plugin.start()
    yield plugin
    plugin.stop()
    assert plugin.mounts() == []


@pytest.fixture(scope="module")
def engine(shelf: Plugin) -> Iterator[EngineUnderTest]:
    made = narud.started([f"--plugin-dir={shelf.socket.parent}", "--shutdown-timeout=1"])
    yield made
    made.destroy()


@pytest.fixture(autouse=True)
def _tidy(engine: EngineUnderTest) -> Iterator[None]:
    yield
    engine.remove_all()
    engine.remove_volumes()


def _create(engine: EngineUnderTest, name: str, **options: str) -> Any:
    body = {"Name": name, "Driver": "shelf", "DriverOpts": options}
    return engine.api("POST", "/volumes/create", body=body)


def test_a_plugin_keeps_volumes_from_creation_to_removal(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    made = engine.docker("volume", "create", "-d", "shelf", "-o", "colour=red", "books").ok()
    assert made.out.strip() == "books"
    assert shelf.calls("Create")[-1]["Opts"] == {"colour": "red"}
    [found] = json.loads(engine.docker("volume", "inspect", "books").ok().out)
    assert (found["Driver"], found["Scope"], found["Mountpoint"]) == ("shelf", "global", "")
    assert (found["Options"], found["Status"]) == ({"colour": "red"}, {"users": 0})
    assert "shelf" in engine.api("GET", "/info").ok(200).json()["Plugins"]["Volume"]
    listed = engine.naru("volume", "ls", "-f", "driver=shelf", "--format", "{{.Name}}").ok()
    assert listed.out.split() == ["books"]
    again = engine.docker("volume", "create", "books")
    assert "already exists with the shelf driver" in again.err
    assert engine.api("POST", "/volumes/prune").ok(200).json()["VolumesDeleted"] is None
    archive = Tree().file("page", "text").tar()
    engine.api("POST", "/volumes/books/import", archive).ok(204)
    assert (shelf.root / "content" / "books" / "page").read_text() == "text"
    assert b"./page" in engine.api("GET", "/volumes/books/export").ok(200).body
    assert shelf.users("books") == []
    engine.docker("volume", "rm", "books").ok()
    assert json.loads((shelf.root / "state.json").read_text()) == {}


def test_containers_share_a_volume_and_the_last_one_unmounts_it(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    _create(engine, "shared").ok(201)
    host = {"Binds": ["shared:/one", "shared:/two"]}
    first = engine.up("sh", "-c", "echo first > /one/file; sleep 60", host=host)
    second = engine.up("sleep", "60", host={"Binds": ["shared:/data"]})
    assert sorted(shelf.users("shared")) == sorted([first, second])
    assert engine.exec(second, "cat", "/data/file").out == "first\n"
    refused = engine.api("DELETE", "/volumes/shared")
    assert refused.status == 409
    assert "volume is in use" in refused.message
    engine.remove(first)
    assert shelf.users("shared") == [second]
    engine.api("POST", f"/containers/{second}/stop", query={"t": 0}).ok(204)
    eventually(lambda: shelf.users("shared") == [], "the last one unmounts")
    copied = engine.docker("cp", f"{second}:/data/file", "-").ok()
    assert "first" in copied.out
    assert shelf.users("shared") == []
    done = engine.run("cat", "/data/file", host={"Binds": ["shared:/data:ro"]})
    assert done.out == "first\n"


def test_the_drivers_name_comes_from_run_and_the_images_content_goes_in(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    done = engine.docker(
        "run", "--rm", "--volume-driver", "shelf", "-v", "etc:/etc", "busybox", "ls", "/etc/passwd"
    )
    assert done.out.strip() == "/etc/passwd", done.err
    assert (shelf.root / "content" / "etc" / "passwd").exists()
    assert shelf.users("etc") == []
    mount = "type=volume,src=more,dst=/m,volume-driver=shelf,volume-opt=a=b"
    engine.docker("run", "--rm", "--mount", mount, "busybox", "true").ok()
    assert shelf.calls("Create")[-1]["Opts"] == {"a": "b"}


def test_volumes_that_only_the_plugin_knows_are_shown_used_and_removed(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    address = Address(path=str(shelf.socket))
    call(address, "VolumeDriver.Create", {"Name": "elsewhere"}, timeout_s=5)
    shown = engine.docker("volume", "ls", "--format", "{{.Driver}} {{.Name}}").ok().out
    assert "shelf elsewhere" in shown
    found = engine.api("GET", "/volumes/elsewhere").ok(200).json()
    assert (found["Driver"], found["CreatedAt"]) == ("shelf", "0001-01-01T00:00:00Z")
    engine.run("touch", "/d/x", host={"Binds": ["elsewhere:/d"]})
    assert (shelf.root / "content" / "elsewhere" / "x").exists()
    engine.remove_all()
    call(address, "VolumeDriver.Create", {"Name": "unwanted"}, timeout_s=5)
    engine.docker("volume", "rm", "unwanted").ok()


def test_a_volume_that_its_plugin_has_lost_is_made_anew_or_forgotten(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    address = Address(path=str(shelf.socket))
    for name in ("anew", "forgotten"):
        _create(engine, name, colour="red").ok(201)
        call(address, "VolumeDriver.Remove", {"Name": name}, timeout_s=5)
    assert engine.run("true", host={"Binds": ["anew:/d"]}).code == 0
    assert shelf.calls("Create")[-1]["Opts"] == {"colour": "red"}
    lost = engine.docker("volume", "rm", "forgotten")
    assert lost.err == "Error response from daemon: remove forgotten: no volume forgotten\n"
    engine.docker("volume", "rm", "-f", "forgotten").ok()
    assert "forgotten" not in engine.docker("volume", "ls", "-q").ok().out


@pytest.mark.parametrize(
    ("method", "how", "status", "words"),
    [
        ("Create", "refuse", 500, "create vv: the disk is on fire"),
        (
            "Create",
            "status",
            500,
            "create vv: VolumeDriver.Create: the plugin answered with 500",
        ),
        ("Create", "garbage", 500, "create vv: VolumeDriver.Create: expected a JSON object from"),
    ],
)
def test_a_plugin_that_does_not_do_as_asked_is_quoted_and_leaves_nothing(
    engine: EngineUnderTest, shelf: Plugin, method: str, how: str, status: int, words: str
) -> None:
    with shelf.spoilt(method, how):
        answer = _create(engine, "vv")
    assert answer.status == status
    assert words in answer.message
    assert not (engine.content_root / "volumes" / "vv").exists()


def test_a_mount_that_is_refused_fails_the_start_and_no_later_one(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    _create(engine, "fussy").ok(201)
    body = {"Type": "volume", "Source": "fussy", "Target": "/d", "VolumeOptions": {"NoCopy": True}}
    container = engine.create("true", host={"Mounts": [body]})
    with shelf.spoilt("Mount", "refuse"):
        answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status == 500
    assert "error while mounting volume 'fussy': the disk is on fire" in answer.message
    engine.start(container)
    assert engine.wait(container) == 0
    eventually(lambda: shelf.users("fussy") == [], "it is unmounted")


def test_a_plugin_that_is_gone_is_named_and_holds_nothing_else_up(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    _create(engine, "lost").ok(201)
    container = engine.up("sleep", "60", host={"Binds": ["lost:/d"]})
    shelf.stop()
    try:
        assert "lost" in engine.docker("volume", "ls", "-q").ok().out
        missing = engine.api("GET", "/volumes/lost")
        assert missing.status == 503
        assert f"plugin at unix://{shelf.socket} cannot be reached" in missing.message
        # Its container ends all the same, and so does an engine that looks for what was left.
        engine.remove(container)
        engine.restart(how="kill9")
        assert engine.run("echo", "works").out == "works\n"
        assert engine.api("DELETE", "/volumes/lost").status == 503
    finally:
        shelf.start()
    assert len(shelf.users("lost")) == 1
    engine.restart()
    eventually(lambda: shelf.users("lost") == [], "the next engine unmounts it")
    unknown = engine.docker("volume", "create", "-d", "../../x", "vv")
    assert 'error looking up volume plugin ../../x: plugin "../../x" not found' in unknown.err


def test_a_start_does_not_wait_for_a_plugin_that_hangs(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    _create(engine, "slow").ok(201)
    container = engine.up("sleep", "60", host={"Binds": ["slow:/d"]})
    pid = engine.state(container)["Pid"]
    engine.kill9()
    os.kill(pid, signal.SIGKILL)
    with shelf.spoilt("Unmount", "hang"):
        began = time.monotonic()
        engine.start_engine()
        assert engine.run("echo", "works").out == "works\n"
        # Far from the two minutes that a plugin may take.
        assert time.monotonic() - began < 60
    shelf.stop()
    shelf.start()
    engine.restart(how="kill9")
    eventually(lambda: shelf.users("slow") == [], "the next engine unmounts it")


def test_many_starts_that_wait_for_a_plugin_leave_all_others_their_threads(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    _create(engine, "mute").ok(201)
    host = {"Binds": ["mute:/d"], "NetworkMode": "none"}
    # More than the threads that requests share.
    waiting = [engine.create("true", host=host) for _ in range(36)]

    def start(container: str) -> int:
        return engine.api("POST", f"/containers/{container}/start", timeout_s=300).status

    with ThreadPoolExecutor(len(waiting)) as clients:
        with shelf.spoilt("Mount", "hang"):
            answers = [clients.submit(start, container) for container in waiting]
            eventually(lambda: shelf.calls("Mount"), "one start asks the plugin")
            time.sleep(1)
            assert engine.run("echo", "works").out == "works\n"
            assert not any(answer.done() for answer in answers)
        shelf.stop()
        assert {answer.result() for answer in answers} <= {500, 503}
    shelf.start()


def test_an_engine_that_is_told_to_end_does_not_wait_for_a_plugin(
    engine: EngineUnderTest, shelf: Plugin
) -> None:
    _create(engine, "stuck").ok(201)
    container = engine.create("true", host={"Binds": ["stuck:/d"]})
    with ThreadPoolExecutor(1) as client:
        with shelf.spoilt("Mount", "hang"):
            answer = client.submit(engine.api, "POST", f"/containers/{container}/start")
            eventually(lambda: shelf.calls("Mount")[-1:], "the start asks the plugin")
            time.sleep(0.5)
            assert engine.terminate() == 0
        assert answer.exception() is not None
    shelf.stop()
    shelf.start()
    engine.start_engine()
    assert engine.state(container)["Status"] == "created"


@pytest.mark.parametrize("point", ["volumes.mount.noted", "volumes.mount.mounted"])
def test_a_kill_between_mount_and_start_leaves_no_user(
    engine: EngineUnderTest, shelf: Plugin, point: str
) -> None:
    _create(engine, "kept").ok(201)
    body = {"Type": "volume", "Source": "kept", "Target": "/d", "VolumeOptions": {"NoCopy": True}}
    container = engine.create("true", host={"Mounts": [body]})
    engine.terminate()
    engine.start_engine(env={"NARU_FAULT": f"{point}=kill"})
    with contextlib.suppress(OSError):
        engine.api("POST", f"/containers/{container}/start")
    engine.await_death()
    engine.start_engine()
    eventually(lambda: shelf.users("kept") == [], "nobody uses it")
    engine.start(container)
    assert engine.wait(container) == 0
