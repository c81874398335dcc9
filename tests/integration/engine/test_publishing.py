"""Published ports: reachable from where they should be, told truly, and given back."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing
from ipaddress import ip_address
from typing import Any

import pytest

from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.ports import free_port
from harness.waiting import eventually
from naru.linux import conntrack


def _server(
    engine: Engine, bindings: dict[str, Any], *, text: str = "hello", **options: Any
) -> str:
    """Start a server on port 7000 that greets whoever connects."""
    host = {"PortBindings": bindings, **options.pop("host", {})}
    exposed: dict[str, dict[str, str]] = {port: {} for port in bindings}
    return engine.up(
        "nc", "-ll", "-p", "7000", "-e", "echo", text, host=host, ExposedPorts=exposed, **options
    )


def _greeting(address: str, port: int) -> str:
    with socket.create_connection((address, port), timeout=3) as stream:
        return stream.recv(64).decode()


def _greets(address: str, port: int, text: str = "hello\n") -> None:
    def probe() -> bool:
        try:
            return _greeting(address, port) == text
        except OSError as error:
            raise AssertionError(f"{address}:{port}: {error}") from error

    eventually(probe, f"{address}:{port} greets")


def _bindings(engine: Engine, container: str, port: str = "7000/tcp") -> list[dict[str, str]]:
    found = engine.inspect(container)["NetworkSettings"]["Ports"][port]
    assert isinstance(found, list)
    return found


def _own_address() -> str:
    """Return an address of the host's that is neither loopback nor a bridge of ours."""
    links = json.loads(
        subprocess.run(["ip", "-j", "-4", "addr"], capture_output=True, check=True).stdout
    )
    candidates = [
        info["local"]
        for link in links
        if not link["ifname"].startswith(("lo", "nt", "docker", "br-", "veth"))
        for info in link["addr_info"]
    ]
    return str(candidates[0]) if candidates else ""


def test_a_port_is_reached_through_loopback(engine: Engine) -> None:
    port = free_port()
    container = _server(engine, {"7000/tcp": [{"HostPort": str(port)}]})
    _greets("127.0.0.1", port)
    assert {"HostIp": "0.0.0.0", "HostPort": str(port)} in _bindings(engine, container)


def test_a_port_is_reached_through_the_hosts_own_address(engine: Engine) -> None:
    address = _own_address()
    if not address:
        gateway = engine.api("GET", "/networks/bridge").json()["IPAM"]["Config"][0]["Gateway"]
        address = str(gateway)
    port = free_port()
    _server(engine, {"7000/tcp": [{"HostPort": str(port)}]})
    _greets(address, port)


def test_a_port_is_reached_from_another_container(engine: Engine) -> None:
    port = free_port()
    server = _server(engine, {"7000/tcp": [{"HostPort": str(port)}]})
    gateway = engine.inspect(server)["NetworkSettings"]["Gateway"]
    _greets("127.0.0.1", port)
    assert engine.sh(f"nc {gateway} {port} </dev/null").out == "hello\n"


def test_a_container_reaches_its_own_published_port(engine: Engine) -> None:
    port = free_port()
    server = _server(engine, {"7000/tcp": [{"HostPort": str(port)}]})
    gateway = engine.inspect(server)["NetworkSettings"]["Gateway"]
    _greets("127.0.0.1", port)
    script = f"nc {gateway} {port} </dev/null"
    assert engine.exec(server, "sh", "-c", script).out == "hello\n"


def test_a_random_port_is_chosen_and_told(engine: Engine) -> None:
    container = _server(engine, {"7000/tcp": [{"HostPort": ""}]})
    port = int(_bindings(engine, container)[0]["HostPort"])
    assert 1024 < port < 65536
    _greets("127.0.0.1", port)


def test_all_exposed_ports_can_be_published(engine: Engine) -> None:
    container = engine.up(
        host={"PublishAllPorts": True}, ExposedPorts={"7000/tcp": {}, "7001/udp": {}}
    )
    ports = engine.inspect(container)["NetworkSettings"]["Ports"]
    assert int(ports["7000/tcp"][0]["HostPort"]) > 1024
    assert int(ports["7001/udp"][0]["HostPort"]) > 1024


def test_an_address_of_the_host_may_be_chosen(engine: Engine) -> None:
    port = free_port()
    _server(engine, {"7000/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(port)}]})
    _greets("127.0.0.1", port)
    gateway = engine.api("GET", "/networks/bridge").json()["IPAM"]["Config"][0].get("Gateway")
    if gateway:
        with pytest.raises(OSError):
            _greeting(gateway, port)


def test_one_port_may_have_several_bindings(engine: Engine) -> None:
    first, second = free_port(), free_port()
    bindings = [{"HostPort": str(first)}, {"HostIp": "127.0.0.1", "HostPort": str(second)}]
    _server(engine, {"7000/tcp": bindings})
    _greets("127.0.0.1", first)
    _greets("127.0.0.1", second)


_UDP_ECHO = """
import socket
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 7000))
print("ready", flush=True)
while True:
    data, client = server.recvfrom(64)
    server.sendto(data, client)
"""


def test_udp_goes_both_ways(engine: Engine) -> None:
    port = free_port()
    bindings = {"7000/udp": [{"HostPort": str(port)}]}
    container = engine.up(host={"PortBindings": bindings}, ExposedPorts={"7000/udp": {}})
    # busybox has no datagram server, so one of ours runs in the container's network.
    pid = str(engine.state(container)["Pid"])
    argv = ["nsenter", "-t", pid, "-n", sys.executable, "-c", _UDP_ECHO]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == b"ready\n"
            for number in range(3):
                with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
                    client.settimeout(5)
                    client.connect(("127.0.0.1", port))
                    client.send(b"echo %d" % number)
                    assert client.recv(64) == b"echo %d" % number
        finally:
            server.kill()


def test_a_range_takes_the_first_free_port(engine: Engine) -> None:
    start = free_port(count=21)
    bindings = {"7000/tcp": [{"HostPort": f"{start}-{start + 20}"}]}
    for number in range(3):
        container = _server(engine, bindings, text=f"server {number}")
        port = int(_bindings(engine, container)[0]["HostPort"])
        assert start <= port <= start + 20
        _greets("127.0.0.1", port, f"server {number}\n")


def test_a_taken_port_is_refused_and_nothing_stays(engine: Engine) -> None:
    port = free_port()
    first = _server(engine, {"7000/tcp": [{"HostPort": str(port)}]})
    second = engine.create(
        "sleep",
        "1000",
        name="naru-test-second",
        ExposedPorts={"7000/tcp": {}},
        host={"PortBindings": {"7000/tcp": [{"HostPort": str(port)}]}},
    )
    answer = engine.api("POST", f"/containers/{second}/start")
    assert answer.status == 500
    assert "driver failed programming external connectivity on endpoint naru-test-second (" in (
        answer.message
    )
    assert answer.message.endswith(f"Bind for 0.0.0.0:{port} failed: port is already allocated")
    assert engine.state(second)["Status"] == "created"
    engine.remove(first)
    engine.start(second)


def test_a_port_of_another_program_is_refused(engine: Engine) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        container = engine.create(
            "sleep",
            "1000",
            ExposedPorts={"7000/tcp": {}},
            host={"PortBindings": {"7000/tcp": [{"HostPort": str(port)}]}},
        )
        answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status == 500
    assert "address already in use" in answer.message
    engine.start(container)


def test_a_port_is_free_after_the_container_stopped(engine: Engine) -> None:
    port = free_port()
    container = _server(engine, {"7000/tcp": [{"HostPort": str(port)}]})
    _greets("127.0.0.1", port)
    engine.api("POST", f"/containers/{container}/kill").ok(204)
    engine.wait(container)

    def bindable() -> bool:
        with closing(socket.socket()) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("0.0.0.0", port))
            except OSError:
                return False
            return True

    eventually(bindable, "the port is free")


def test_a_restarted_container_is_reached_again(engine: Engine) -> None:
    port = free_port()
    container = _server(engine, {"7000/tcp": [{"HostPort": str(port)}]})
    _greets("127.0.0.1", port)
    engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    _greets("127.0.0.1", port)


def test_two_containers_do_not_answer_for_each_other(engine: Engine) -> None:
    ports = [free_port(), free_port()]
    for number, port in enumerate(ports):
        _server(engine, {"7000/tcp": [{"HostPort": str(port)}]}, text=f"server {number}")
    for number, port in enumerate(ports):
        _greets("127.0.0.1", port, f"server {number}\n")


@pytest.mark.parametrize(
    ("bindings", "words"),
    [
        ({"7000/tcp": [{"HostPort": "banana"}]}, 'invalid port specification: "banana"'),
        ({"7000/tcp": [{"HostPort": "70000"}]}, 'invalid port specification: "70000"'),
        ({"70000/tcp": [{"HostPort": "1"}]}, "70000"),
        ({"7000/warp": [{"HostPort": "1"}]}, "warp"),
    ],
)
def test_ports_that_make_no_sense_are_refused(
    engine: Engine, bindings: dict[str, Any], words: str
) -> None:
    answer = engine.ask_to_create("true", host={"PortBindings": bindings})
    if answer.status == 201:
        engine.remove(answer.json()["Id"])
    if engine.is_naru or "warp" not in words:
        assert answer.status == 400
        assert words in answer.message


@pytest.mark.naru_only
def test_nobody_remembers_who_spoke_to_a_server_that_is_gone(engine: EngineUnderTest) -> None:
    before = engine.footprint()
    container = _server(engine, {"7000/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]})
    port = int(_bindings(engine, container)[0]["HostPort"])
    address = ip_address(engine.inspect(container)["NetworkSettings"]["IPAddress"]).packed
    _greets("127.0.0.1", port)
    assert conntrack.forget_flows_from([address]) > 0, "flows are found by who answers"
    _greets("127.0.0.1", port)
    engine.remove(container)
    engine.comes_back_to(before, "a server that is gone")
    assert conntrack.forget_flows_from([address]) == 0
