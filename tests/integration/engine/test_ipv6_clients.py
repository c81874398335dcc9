"""IPv6 clients of containers that have IPv4 alone, as Docker's proxy serves them."""

from __future__ import annotations

import contextlib
import socket
from functools import partial

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.ports import free_port
from harness.waiting import eventually


def _echoes(address: str, port: int, word: bytes = b"word") -> bool:
    try:
        with socket.create_connection((address, port), timeout=3) as stream:
            stream.sendall(word)
            stream.shutdown(socket.SHUT_WR)
            return stream.makefile("rb").read() == word
    except OSError:
        return False


def _server(engine: Engine, *bindings: str) -> str:
    ports = [dict(zip(("HostIp", "HostPort"), one.rsplit(",", 1), strict=True)) for one in bindings]
    return engine.up(
        "nc", "-ll", "-p", "7000", "-e", "cat",
        host={"PortBindings": {"7000/tcp": ports}}, ExposedPorts={"7000/tcp": {}},
    )  # fmt: skip


def test_clients_get_in_by_ipv6_and_are_told_so(engine: Engine) -> None:
    port, own = free_port(), free_port()
    container = _server(engine, f",{port}", f"::1,{own}")
    for address, number in (("::1", port), ("127.0.0.1", port), ("::1", own)):
        eventually(partial(_echoes, address, number), f"[{address}]:{number} answers")
    assert not _echoes("127.0.0.1", own)
    bindings = engine.inspect(container)["NetworkSettings"]["Ports"]["7000/tcp"]
    expected = {("0.0.0.0", str(port)), ("::", str(port)), ("::1", str(own))}
    assert {(one["HostIp"], one["HostPort"]) for one in bindings} == expected
    lines = engine.docker("port", container, "7000").ok().lines()
    assert set(lines) == {f"0.0.0.0:{port}", f"[::]:{port}", f"[::1]:{own}"}
    engine.remove(container)
    assert not _echoes("::1", port)
    with contextlib.closing(socket.create_server(("::", port), family=socket.AF_INET6)):
        pass


@pytest.mark.naru_only
def test_they_are_there_again_when_the_engine_was_killed(own_engine: EngineUnderTest) -> None:
    engine, (one, two) = own_engine, (free_port(), free_port())
    container = _server(engine, f",{one}")
    eventually(lambda: _echoes("::1", one), "the port answers")
    with socket.create_connection(("::1", one), timeout=5) as stream:
        engine.kill9()
        with contextlib.suppress(ConnectionResetError):
            assert stream.recv(10) == b"", "what stood ends with the engine"
    assert _echoes("127.0.0.1", one), "IPv4 does not need the engine"
    engine.start_engine()
    assert _echoes("::1", one)
    body = {"PublishAdd": {"7000/tcp": [{"HostPort": str(two)}]}, "PublishRemove": [str(one)]}
    engine.api("POST", f"/containers/{container}/update", body).ok(200)
    assert _echoes("::1", two)
    assert not _echoes("::1", one)
    engine.restart(how="kill9")
    assert _echoes("::1", two)
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    eventually(lambda: _echoes("::1", two), "the port answers after a restart")
