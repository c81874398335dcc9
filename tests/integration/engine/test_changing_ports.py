"""Ports that are published, and not any more, while the container runs on."""

from __future__ import annotations

import contextlib
import http.client
import socket
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.ports import free_port
from harness.waiting import eventually

pytestmark = pytest.mark.naru_only


def _server(engine: Engine, *host_ports: int) -> str:
    bindings = [{"HostPort": str(port)} for port in host_ports]
    return engine.up(
        "nc", "-ll", "-p", "7000", "-e", "cat",
        host={"PortBindings": {"7000/tcp": bindings}}, ExposedPorts={"7000/tcp": {}},
    )  # fmt: skip


def _add(*ports: int | str, ip: str = "") -> dict[str, Any]:
    bindings = [{"HostIp": ip, "HostPort": str(port)} for port in ports]
    return {"PublishAdd": {"7000/tcp": bindings}}


def _remove(*ports: int | str) -> dict[str, Any]:
    return {"PublishRemove": [str(port) for port in ports]}


def _update(engine: Engine, container: str, **body: Any) -> Any:
    return engine.api("POST", f"/containers/{container}/update", body)


def _echo(stream: socket.socket, word: bytes = b"word") -> bool:
    stream.sendall(word)
    return stream.recv(64) == word


def _answers(port: int, host: str = "127.0.0.1") -> bool:
    try:
        with socket.create_connection((host, port), timeout=3) as stream:
            return _echo(stream)
    except OSError:
        return False


def _await_answer(port: int) -> None:
    eventually(lambda: _answers(port), f"port {port} answers")


def _published(engine: Engine, container: str) -> set[tuple[str, str]]:
    found = engine.inspect(container)["NetworkSettings"]["Ports"]["7000/tcp"] or []
    return {(one["HostIp"], one["HostPort"]) for one in found if ":" not in one["HostIp"]}


def test_ports_come_and_go_while_connections_stand(engine: Engine) -> None:
    one, two, three = free_port(), free_port(), free_port()
    container = _server(engine, one)
    _await_answer(one)
    with socket.create_connection(("127.0.0.1", one), timeout=5) as stream:
        assert _echo(stream)
        _update(engine, container, **_add(two)).ok(200)
        assert _answers(one)
        assert _answers(two)
        _update(engine, container, **_remove(one), **_add(three, ip="127.0.0.1")).ok(200)
        assert not _answers(one)
        assert _answers(two)
        assert _answers(three)
        assert _echo(stream), "what was connected before goes on"
    assert _published(engine, container) == {("0.0.0.0", str(two)), ("127.0.0.1", str(three))}
    with contextlib.closing(socket.create_server(("0.0.0.0", one))):
        pass
    listed = engine.api("GET", "/containers/json").json()
    shown = next(entry for entry in listed if entry["Id"] == container)["Ports"]
    assert {port.get("PublicPort") for port in shown} == {two, three}
    # It is a wish like any other: there again after the next start.
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    _await_answer(two)
    assert _published(engine, container) == {("0.0.0.0", str(two)), ("127.0.0.1", str(three))}


def test_a_port_may_lead_elsewhere_at_once_and_a_free_one_be_drawn(engine: Engine) -> None:
    port = free_port()
    container = _server(engine, port)
    _await_answer(port)
    body = {"PublishAdd": {"7001/tcp": [{"HostPort": str(port)}], "7000/tcp": [{"HostPort": ""}]}}
    _update(engine, container, **_remove(port), **body).ok(200)
    ports = engine.inspect(container)["NetworkSettings"]["Ports"]
    assert ports["7001/tcp"][0]["HostPort"] == str(port)
    drawn = int(ports["7000/tcp"][0]["HostPort"])
    assert _answers(drawn)
    _update(engine, container, **_remove(drawn)).ok(200)
    assert not _answers(drawn)
    assert engine.inspect(container)["NetworkSettings"]["Ports"]["7000/tcp"] is None


def test_all_changes_are_made_or_none(engine: Engine) -> None:
    one, two, taken = free_port(), free_port(), free_port()
    container = _server(engine, one)
    _server(engine, taken)
    _await_answer(one)
    before = engine.inspect(container)
    answer = _update(engine, container, **_remove(one), **_add(two, taken), PidsLimit=77)
    assert answer.status == 500
    assert answer.message.startswith(f"Cannot update container {container}: ")
    assert answer.message.endswith(
        f"Bind for 0.0.0.0:{taken} failed: port is already allocated"
    )  # fmt: skip
    assert engine.inspect(container) == before
    assert _answers(one)
    assert not _answers(two)
    # And where the limits are refused, the ports are as they were.
    refused = _update(engine, container, **_add(two), MemorySwap=16 << 20, PidsLimit=9)
    assert refused.status == 500
    assert engine.inspect(container) == before
    assert not _answers(two)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (_remove(1), "the container does not publish port 1/tcp of the host"),
        (_remove("banana"), 'invalid port specification: "banana"'),
        (_add("banana"), 'invalid port specification: "banana"'),
        ({"PublishAdd": {"70000/tcp": [{}]}}, 'invalid port specification: "70000"'),
    ],
)
def test_what_makes_no_sense_is_refused(engine: Engine, body: dict[str, Any], words: str) -> None:
    container = engine.create("true")
    answer = _update(engine, container, **body)
    assert answer.status == 400
    assert answer.message == f"Cannot update container {container}: {words}"


def test_a_stopped_container_publishes_at_its_next_start(engine: Engine) -> None:
    one, two = free_port(), free_port()
    container = engine.create(
        "nc", "-ll", "-p", "7000", "-e", "cat",
        host={"PortBindings": {"7000/tcp": [{"HostPort": str(one)}]}},
    )  # fmt: skip
    _update(engine, container, **_remove(one), **_add(two)).ok(200)
    engine.start(container)
    _await_answer(two)
    assert not _answers(one)


def test_containers_without_ports_of_their_own_are_told_so(engine: Engine) -> None:
    owner = engine.up()
    joined = engine.up(host={"NetworkMode": f"container:{owner}"})
    answer = _update(engine, joined, **_add(free_port()))
    assert (answer.status, answer.message) == (
        400,
        "conflicting options: port publishing and the container type network mode",
    )
    on_host = engine.up(host={"NetworkMode": "host"})
    warnings = _update(engine, on_host, **_add(free_port())).ok(200).json()["Warnings"]
    assert warnings == ["Published ports are discarded when using host network mode"]


def test_a_change_that_was_cut_short_is_finished(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    points = ("engine.republish.after_record", "network.republish.half")
    one, two = free_port(), free_port()
    container = _server(engine, one)
    _await_answer(one)
    for point in points:
        engine.kill9()
        engine.start_engine(env={"NARU_FAULT": f"{point}=kill"})
        with contextlib.suppress(OSError, http.client.HTTPException):
            _update(engine, container, **_remove(one), **_add(two))
        engine.await_death()
        engine.start_engine()
        assert _published(engine, container) == {("0.0.0.0", str(two))}
        assert _answers(two)
        assert not _answers(one)
        one, two = two, one
