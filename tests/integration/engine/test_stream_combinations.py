"""Streams of attach and exec in the combinations that clients come up with."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from aiohttp import ClientSession, UnixConnector, WSMsgType

from harness.engine import Engine
from harness.waiting import eventually
from harness.wire import Hijacked, split_frames

_IN_OUT = {"stream": True, "stdin": True, "stdout": True, "stderr": True}


def _attach(engine: Engine, container: str, **query: Any) -> Hijacked:
    return engine.hijack(f"/containers/{container}/attach", query={**_IN_OUT, **query})


def _exec(engine: Engine, container: str, *cmd: str, **config: Any) -> str:
    answer = engine.api("POST", f"/containers/{container}/exec", {"Cmd": list(cmd), **config})
    return str(answer.ok(201).json()["Id"])


# Docker 20.10 keeps a client that asks for no output after the end of the process.
_NOTHING = pytest.param({"stdout": False, "stderr": False}, "none", marks=pytest.mark.naru_only)


@pytest.mark.parametrize("tty", [False, True])
@pytest.mark.parametrize(
    ("query", "streams"),
    [
        ({"stderr": False}, "out"),
        ({"stdout": False}, "err"),
        ({"stdin": False}, "both"),
        _NOTHING,
    ],
)
def test_each_client_gets_the_streams_it_asks_for(
    engine: Engine, tty: bool, query: dict[str, bool], streams: str
) -> None:
    container = engine.create("sh", "-c", "echo out; echo err >&2", Tty=tty, OpenStdin=True)
    with _attach(engine, container, **query) as stream:
        engine.start(container)
        data = stream.read_all()
    if tty:
        # A terminal has one stream, which counts as stdout.
        whole = b"out\r\nerr\r\n"
        assert data == (whole if streams in ("out", "both") else b"")
        return
    expected = {"out": (b"out\n", b""), "err": (b"", b"err\n"), "both": (b"out\n", b"err\n")}
    out, err = expected.get(streams, (b"", b""))
    assert split_frames(data) == {"stdout": out, "stderr": err}


def test_a_client_that_does_not_read_holds_up_no_engine_and_loses_nobody_a_byte(
    engine: Engine,
) -> None:
    size = 20_000_000
    script = f"read x; yes 0123456789abcdef | head -c {size}"
    container = engine.up("sh", "-c", script, OpenStdin=True)
    got = bytearray()
    with _attach(engine, container) as slow, _attach(engine, container) as fast:

        def read() -> None:
            while data := fast.read_some():
                got.extend(data)

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        fast.send(b"go\n")
        eventually(lambda: len(got) > 100_000, "it runs")
        # The container may wait for the slow client, as in Docker; everybody else goes on.
        assert engine.api("GET", "/_ping", version="").status == 200
        assert engine.logs(container, tail="1")["stdout"]
        assert engine.sh("echo alive").out == "alive\n"
        slow.close()
        reader.join(60)
    assert not reader.is_alive()
    assert split_frames(bytes(got))["stdout"] == (b"0123456789abcdef\n" * (size // 17 + 1))[:size]
    assert engine.wait(container) == 0


# Docker 20.10 ends a followed log before its last lines when the container has ended.
@pytest.mark.naru_only
def test_a_reader_of_the_log_that_is_slow_holds_up_nobody(engine: Engine) -> None:
    container = engine.up("sh", "-c", "seq 1 300000")
    query = {"stdout": True, "follow": True}
    with engine.stream(f"/containers/{container}/logs", query=query) as stream:
        assert engine.wait(container) == 0
        assert split_frames(stream.read())["stdout"].splitlines()[-1] == b"300000"


def test_input_larger_than_any_buffer_goes_through_an_exec(engine: Engine) -> None:
    container = engine.up()
    exec_id = _exec(engine, container, "wc", "-c", AttachStdin=True, AttachStdout=True)
    with engine.hijack(f"/exec/{exec_id}/start", {}) as stream:
        for _ in range(64):
            stream.send(bytes(65536))
        stream.close_write()
        assert split_frames(stream.read_all())["stdout"] == b"4194304\n"


def test_an_exec_that_shows_nothing_answers_at_once(engine: Engine) -> None:
    container = engine.up()
    exec_id = _exec(engine, container, "sleep", "1000")
    with engine.hijack(f"/exec/{exec_id}/start", {}) as stream:
        assert stream.read_all() == b""
    assert engine.api("GET", f"/exec/{exec_id}/json").json()["Running"] is True


@pytest.mark.parametrize("start_tty", [False, True])
def test_how_an_exec_is_spoken_to_is_for_its_start_to_say(engine: Engine, start_tty: bool) -> None:
    container = engine.up()
    exec_id = _exec(engine, container, "echo", "hi", AttachStdout=True, Tty=not start_tty)
    with engine.hijack(f"/exec/{exec_id}/start", {"Tty": start_tty}) as stream:
        data = stream.read_all()
    assert data == b"hi\n" if start_tty else split_frames(data)["stdout"] == b"hi\r\n"


def test_the_execs_that_run_are_named(engine: Engine) -> None:
    container = engine.up()
    exec_id = _exec(engine, container, "sleep", "1000")
    engine.api("POST", f"/exec/{exec_id}/start", {"Detach": True}).ok(200)
    found = engine.api("GET", f"/containers/{container}/json").json()["ExecIDs"]
    assert found == [exec_id]


def test_sizes_of_what_has_no_terminal_are_nobodys_trouble(engine: Engine) -> None:
    container = engine.up()
    for _ in range(2):
        query = {"h": 10, "w": 10}
        engine.api("POST", f"/containers/{container}/resize", query=query).ok(200)


def test_keys_of_an_exec_that_make_no_sense_are_refused(engine: Engine) -> None:
    container = engine.up()
    body = {"Cmd": ["true"], "DetachKeys": "nonsense"}
    answer = engine.api("POST", f"/containers/{container}/exec", body)
    assert answer.status in (400, 500)
    assert answer.message == "Invalid escape keys (nonsense) provided"


@pytest.mark.parametrize(
    ("keys", "typed"),
    [("a", b"a"), ("ctrl-a,x", b"\x01x"), ("ctrl-@", b"\0"), ("ctrl-_", b"\x1f"), ("DEL", b"\x7f")],
)
def test_every_kind_of_key_detaches(engine: Engine, keys: str, typed: bytes) -> None:
    container = engine.up("cat", Tty=True, OpenStdin=True)
    with _attach(engine, container, detachKeys=keys) as stream:
        stream.send(typed)
        stream.read_all()
    assert engine.api("GET", f"/containers/{container}/json").json()["State"]["Running"]


async def _receive(client: Any, wanted: bytes) -> bytes:
    received = b""
    while wanted not in received:
        message = await client.receive(timeout=20)
        assert message.type is WSMsgType.BINARY, message
        received += message.data
    return received


async def test_a_websocket_has_binary_messages_and_detaches(engine: Engine) -> None:
    container = engine.up("cat", OpenStdin=True, Tty=True)
    url = f"http://docker/v{engine.version}/containers/{container}/attach/ws"
    async with (
        ClientSession(connector=UnixConnector(engine.socket)) as session,
        session.ws_connect(
            url + "?stream=1&stdin=1&stdout=1&detachKeys=ctrl-a,b", origin="http://docker"
        ) as client,
    ):
        await client.send_bytes(b"typed\r")
        assert b"typed\r\n" in await _receive(client, b"typed\r\n")
        await client.send_bytes(b"\x01b")
        while (message := await client.receive(timeout=20)).type is WSMsgType.BINARY:
            pass
        assert message.type in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING)
    assert engine.api("GET", f"/containers/{container}/json").json()["State"]["Running"]


def test_a_websocket_must_be_asked_for(engine: Engine) -> None:
    container = engine.up()
    answer = engine.api("GET", f"/containers/{container}/attach/ws", query={"stdout": True})
    assert answer.status == 400
    assert b"not websocket protocol" in answer.body


# Docker does repeat or lose a line here at times.
@pytest.mark.naru_only
def test_log_and_live_output_meet_without_a_gap_and_without_repeats(engine: Engine) -> None:
    script = "i=0; while :; do i=$((i+1)); echo $i; [ $((i % 20)) = 0 ] && usleep 3000; done"
    container = engine.up("sh", "-c", script)
    eventually(lambda: b"\n500\n" in engine.logs(container)["stdout"], "it counts")
    for _ in range(5):
        logged = engine.logs(container)["stdout"]
        with _attach(engine, container, stdin=False, logs=True) as stream:
            data = b""
            # Each line of the log comes in a frame of its own.
            while len(data) < len(logged) + 8 * logged.count(b"\n") + 20_000:
                data += stream.read_some()
        numbers = b"".join(_whole_frames(data)).split(b"\n")[:-1]
        assert numbers == [b"%d" % number for number in range(1, len(numbers) + 1)]


def _whole_frames(data: bytes) -> list[bytes]:
    found, at = [], 0
    while (end := at + 8 + int.from_bytes(data[at + 4 : at + 8], "big")) <= len(data) - 8:
        found.append(data[at + 8 : end])
        at = end
    return found
