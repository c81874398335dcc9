"""Clients that vanish, end half-way, or are too slow; and an engine that ends under them."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import wire
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root")


def raw(engine: Engine, request: bytes) -> socket.socket:
    """Send bytes to the engine."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(engine.socket)
    client.sendall(request)
    return client


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(1 << 20):
        parts.append(part)
    client.close()
    return b"".join(parts)


def attach_request(engine: Engine, container: str, *, upgrade: bool = True) -> bytes:
    headers = "Connection: Upgrade\r\nUpgrade: tcp\r\n" if upgrade else ""
    return (
        f"POST /v{engine.version}/containers/{container}/attach"
        f"?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\n{headers}"
        "Content-Length: 0\r\n\r\n"
    ).encode()


# Docker drops what it has read ahead of the hijack.
@pytest.mark.naru_only
@pytest.mark.parametrize("upgrade", [True, False])
def test_input_sent_with_the_request_reaches_the_process(engine: Engine, upgrade: bool) -> None:
    container = engine.create("cat", OpenStdin=True, StdinOnce=True)
    client = raw(engine, attach_request(engine, container, upgrade=upgrade) + b"sent at once\n")
    client.shutdown(socket.SHUT_WR)
    engine.start(container)
    head, _, body = read_all(client).partition(b"\r\n\r\n")
    assert head.splitlines()[0] == (b"HTTP/1.1 101 UPGRADED" if upgrade else b"HTTP/1.1 200 OK")
    assert wire.split_frames(body)["stdout"] == b"sent at once\n"
    assert engine.wait(container) == 0


@pytest.mark.naru_only
def test_much_output_reaches_a_slow_reader_whole(engine: Engine) -> None:
    size = 30 << 20
    container = engine.create("sh", "-c", f"head -c {size} /dev/zero", Tty=False)
    client = raw(engine, attach_request(engine, container))
    engine.start(container)
    time.sleep(0.5)
    _, _, body = read_all(client).partition(b"\r\n\r\n")
    assert wire.split_frames(body)["stdout"] == bytes(size)


def _listeners(engine: EngineUnderTest) -> int:
    return int(engine.api("GET", "/info").ok(200).json()["NEventsListener"])


def _descriptors(engine: EngineUnderTest) -> int:
    return len(os.listdir(f"/proc/{engine.pid}/fd"))


@pytest.mark.naru_only
@pytest.mark.parametrize("half_closed", [False, True])
def test_clients_that_vanish_leave_nothing_open(engine: Engine, half_closed: bool) -> None:
    assert isinstance(engine, EngineUnderTest)
    container = engine.up(OpenStdin=True)
    version = engine.version
    before = _descriptors(engine)
    targets = [
        f"GET /v{version}/events",
        f"GET /v{version}/containers/{container}/logs?follow=1&stdout=1",
        f"POST /v{version}/containers/{container}/wait",
    ]
    requests = [f"{target} HTTP/1.1\r\nHost: d\r\n\r\n".encode() for target in targets]
    requests.append(attach_request(engine, container))
    clients = [raw(engine, request) for request in requests * 5]
    eventually(lambda: _descriptors(engine) >= before + len(clients), "all are served")
    for client in clients:
        if half_closed:
            client.shutdown(socket.SHUT_WR)
            time.sleep(0.02)
        client.close()

    def gone() -> bool:
        assert _descriptors(engine) <= before + 2, (_descriptors(engine), before)
        return True

    eventually(gone, "nothing stays open")
    eventually(lambda: _listeners(engine) == 0, "nobody is told of events")
    assert engine.state(container)["Running"], "the container does not care"


@pytest.mark.naru_only
def test_term_ends_the_engine_at_once_and_no_container(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    container = engine.up(OpenStdin=True)
    version = engine.version
    before = _descriptors(engine)
    clients = [
        raw(engine, f"{target} HTTP/1.1\r\nHost: d\r\n\r\n".encode())
        for target in (
            f"GET /v{version}/events",
            f"GET /v{version}/containers/{container}/logs?follow=1&stdout=1",
            f"POST /v{version}/containers/{container}/wait",
            "GET /_ping",
        )
    ]
    clients.append(raw(engine, attach_request(engine, container)))
    eventually(lambda: _descriptors(engine) >= before + len(clients), "all are served")
    eventually(lambda: _listeners(engine) == 1, "one listens")
    begun = time.monotonic()
    assert engine.terminate() == 0
    # The engine gives requests that end by themselves fifteen seconds.
    assert time.monotonic() - begun < 10
    for client in clients:
        read_all(client)
    assert not Path(engine.socket).exists()
    assert not (engine.root / "pid").exists()
    engine.start_engine()
    assert engine.state(container)["Running"]
    assert engine.state(container)["StartedAt"]
    engine.remove(container)


@pytest.mark.naru_only
def test_a_stop_that_is_under_way_is_answered_before_the_end(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    # Goes on after TERM, so that the stop takes its second.
    script = "trap 'echo told' TERM; echo ready; while :; do sleep 0.05; done"
    container = engine.up("sh", "-c", script)
    eventually(lambda: engine.logs(container)["stdout"] == b"ready\n", "it is ready")
    statuses: list[int] = []

    def stop() -> None:
        query = {"t": 1}
        statuses.append(engine.api("POST", f"/containers/{container}/stop", query=query).status)

    stopping = threading.Thread(target=stop)
    stopping.start()
    eventually(lambda: b"told" in engine.logs(container)["stdout"], "the stop is under way")
    assert engine.terminate() == 0
    stopping.join(30)
    assert statuses == [204]
    engine.start_engine()
    engine.remove(container)


@pytest.fixture
def twins() -> Iterator[tuple[EngineUnderTest, EngineUnderTest]]:
    first, second = EngineUnderTest(), EngineUnderTest()
    yield first, second
    second.destroy()
    first.destroy()


@pytest.mark.naru_only
def test_two_engines_cannot_share_data(twins: tuple[EngineUnderTest, EngineUnderTest]) -> None:
    first, second = twins
    first.start_engine()
    second.data_root = first.data_root
    second.spawn()
    assert second.await_death() == 1
    assert f"another engine runs on {first.data_root}" in second.log_tail()
    assert first.api("GET", "/_ping", version="").status == 200


@pytest.mark.naru_only
def test_two_engines_cannot_share_a_socket(twins: tuple[EngineUnderTest, EngineUnderTest]) -> None:
    first, second = twins
    first.start_engine()
    second.socket = first.socket
    second.spawn()
    assert second.await_death() == 1
    assert "somebody is listening there" in second.log_tail()
    assert first.api("GET", "/_ping", version="").status == 200


@pytest.mark.naru_only
def test_what_a_killed_engine_left_is_replaced(own_engine: EngineUnderTest) -> None:
    own_engine.kill9()
    assert Path(own_engine.socket).exists()
    assert (own_engine.root / "pid").exists()
    own_engine.start_engine()
    assert (own_engine.root / "pid").read_text() == str(own_engine.pid)
