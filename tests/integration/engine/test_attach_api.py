"""Attach: the process's own streams over a hijacked connection."""

from __future__ import annotations

import time
from typing import Any

import pytest

from harness.engine import Engine
from harness.waiting import eventually
from harness.wire import Hijacked, split_frames

_ALL = {"stream": True, "stdin": True, "stdout": True, "stderr": True}


def _open(engine: Engine, *cmd: str, **config: Any) -> str:
    """Create a container whose stdin is open until the first client has gone."""
    return engine.create(*cmd, OpenStdin=True, StdinOnce=True, AttachStdin=True, **config)


def _attach(engine: Engine, container: str, **query: Any) -> Hijacked:
    return engine.hijack(f"/containers/{container}/attach", query={**_ALL, **query})


def test_stdin_goes_in_and_both_streams_come_out(engine: Engine) -> None:
    script = "cat; echo err >&2; exit 5"
    container = _open(engine, "sh", "-c", script)
    with _attach(engine, container) as stream:
        assert stream.status == 101
        assert stream.headers["connection"].lower() == "upgrade"
        engine.start(container)
        stream.send(b"through\n")
        stream.close_write()
        frames = split_frames(stream.read_all())
    assert frames == {"stdout": b"through\n", "stderr": b"err\n"}
    assert engine.wait(container) == 5


def test_old_clients_hijack_without_an_upgrade(engine: Engine) -> None:
    container = engine.create("echo", "old")
    stream = Hijacked(
        engine.socket,
        f"/containers/{container}/attach",
        query=_ALL,
        version=engine.version,
        upgrade=False,
    )
    with stream:
        assert stream.status == 200
        engine.start(container)
        assert split_frames(stream.read_all())["stdout"] == b"old\n"


def test_much_data_goes_through_unharmed(engine: Engine) -> None:
    container = _open(engine, "cat")
    data = bytes(range(256)) * 8192
    got = b""
    with _attach(engine, container) as stream:
        engine.start(container)
        for start in range(0, len(data), 65536):
            stream.send(data[start : start + 65536])
            while len(got) < start // 2:
                got += stream.read_some()
        stream.close_write()
        got += stream.read_all()
    assert split_frames(got)["stdout"] == data


def test_a_terminal_is_raw_and_has_one_stream(engine: Engine) -> None:
    container = _open(engine, "sh", Tty=True)
    with _attach(engine, container) as stream:
        engine.start(container)
        stream.send(b"tty; echo er''ror >&2; exit 4\n")
        text = stream.read_all()
    assert b"/dev/pts/0" in text
    assert b"error\r\n" in text
    assert engine.wait(container) == 4


def test_a_terminal_has_the_size_it_is_told(engine: Engine) -> None:
    container = _open(engine, "sh", Tty=True)
    with _attach(engine, container) as stream:
        engine.start(container)
        engine.api("POST", f"/containers/{container}/resize", query={"h": 33, "w": 101}).ok(200)
        stream.send(b"stty size; exit\n")
        assert b"33 101" in stream.read_all()


def test_detach_keys_end_the_attachment_and_not_the_process(engine: Engine) -> None:
    container = _open(engine, "sh", Tty=True)
    with _attach(engine, container) as stream:
        engine.start(container)
        stream.send(b"\x10\x11")
        stream.read_all()
    assert engine.state(container)["Running"] is True
    with _attach(engine, container) as stream:
        stream.send(b"echo sti''ll here\n")
        stream.read_until(b"still here")


def test_detach_keys_may_be_chosen(engine: Engine) -> None:
    container = _open(engine, "cat", Tty=True)
    with _attach(engine, container, detachKeys="ctrl-a,x") as stream:
        engine.start(container)
        # The old keys are keys like any other now.
        stream.send(b"\x10\x11")
        stream.send(b"\x01x")
        stream.read_all()
    assert engine.state(container)["Running"] is True


def test_detach_keys_that_make_no_sense_are_refused(engine: Engine) -> None:
    container = _open(engine, "cat", Tty=True)
    path = f"/containers/{container}/attach"
    answer = engine.api("POST", path, query={**_ALL, "detachKeys": "ctrl-no"})
    assert answer.status == 400
    assert "Invalid detach keys" in answer.message


def test_two_attachments_see_the_same_output(engine: Engine) -> None:
    container = engine.create("sh", "-c", "read line; echo got $line", OpenStdin=True)
    with _attach(engine, container) as first, _attach(engine, container) as second:
        engine.start(container)
        first.send(b"it\n")
        assert split_frames(first.read_all())["stdout"] == b"got it\n"
        assert split_frames(second.read_all())["stdout"] == b"got it\n"


def test_stdin_stays_open_unless_it_is_once(engine: Engine) -> None:
    container = engine.create("sh", "-c", "read a; read b; echo $a $b", OpenStdin=True)
    with _attach(engine, container) as stream:
        engine.start(container)
        stream.send(b"one\n")
    time.sleep(0.2)
    assert engine.state(container)["Running"] is True
    with _attach(engine, container) as stream:
        stream.send(b"two\n")
        assert split_frames(stream.read_all())["stdout"] == b"one two\n"


def test_logs_may_come_first(engine: Engine) -> None:
    script = "echo early; until test -e /go; do sleep 0.02; done; echo late"
    container = engine.up("sh", "-c", script)
    eventually(lambda: engine.logs(container)["stdout"], "it has spoken")
    query = {"stdin": False, "logs": True}
    with _attach(engine, container, **query) as stream:
        engine.exec(container, "touch", "/go")
        assert split_frames(stream.read_all())["stdout"] == b"early\nlate\n"


def test_attaching_to_a_paused_container_is_refused(engine: Engine) -> None:
    container = engine.up()
    engine.api("POST", f"/containers/{container}/pause").ok(204)
    answer = engine.api("POST", f"/containers/{container}/attach", query=_ALL)
    assert answer.status == 409
    assert f"container {container} is paused, unpause the container before attach" in (
        answer.message
    )


def test_attaching_to_nobody_is_not_found(engine: Engine) -> None:
    answer = engine.api("POST", "/containers/naru-test-nobody/attach", query=_ALL)
    assert (answer.status, answer.message) == (404, "No such container: naru-test-nobody")


@pytest.mark.naru_only
def test_new_clients_are_told_the_kind_of_stream(engine: Engine) -> None:
    for tty, kind in ((True, "raw-stream"), (False, "multiplexed-stream")):
        container = engine.create("true", Tty=tty)
        path = f"/containers/{container}/attach"
        with Hijacked(engine.socket, path, query=_ALL, version="1.42") as stream:
            assert stream.headers["content-type"] == f"application/vnd.docker.{kind}"
