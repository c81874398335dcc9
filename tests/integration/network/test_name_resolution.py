"""Containers find each other by name, and everybody else through them."""

from __future__ import annotations

import contextlib
import re
import socket
import statistics
import struct
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import dns.rcode
import pytest

from harness.engine import Engine
from harness.name_server import name_server
from harness.narud import EngineUnderTest
from harness.ports import loopback_address
from harness.waiting import eventually
from naru.linux.namespaces import in_netns

_ADDRESS = re.compile(r"Name:\s+\S+\nAddress:\s+(\S+)")


def _on(network: str, *aliases: str, **host: Any) -> dict[str, Any]:
    return {
        "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": list(aliases)}}},
        "host": {"NetworkMode": network, **host},
    }


def _addresses(engine: Engine, asker: str, name: str) -> list[str]:
    """Return what a container is told of a name, sorted; nothing when there is no such name."""
    answer = engine.exec(asker, "nslookup", name)
    found = sorted(set(_ADDRESS.findall(answer.out)), key=ip_address)
    assert bool(found) == (answer.code == 0), answer
    return found


def _address(engine: Engine, container: str, network: str) -> str:
    networks = engine.inspect(container)["NetworkSettings"]["Networks"]
    return str(networks[network]["IPAddress"])


def test_neighbours_are_known_by_all_their_names(engine: Engine) -> None:
    network = engine.network()
    web = engine.up(name="naru-test-web", **_on(network, "all", "www"))
    asker = engine.up(name="naru-test-asker", **_on(network, "all"))
    address = _address(engine, web, network)
    for name in ("naru-test-web", "NARU-test-web", web[:12], "www", f"naru-test-web.{network}"):
        assert _addresses(engine, asker, name) == [address], name
    both = sorted([address, _address(engine, asker, network)], key=ip_address)
    assert _addresses(engine, asker, "all") == both
    assert "bytes from" in engine.exec(asker, "ping", "-c1", "-w5", "www").out
    back = engine.exec(asker, "nslookup", address).out
    assert f"naru-test-web.{network}" in back


def test_names_change_with_the_containers(engine: Engine) -> None:
    one, other = engine.network(), engine.network()
    asker, web = engine.up(**_on(one)), engine.up(name="naru-test-web", **_on(other))
    assert _addresses(engine, asker, "naru-test-web") == []
    query = {"Container": web, "EndpointConfig": {"Aliases": ["later"]}}
    engine.api("POST", f"/networks/{one}/connect", query).ok(200)
    address = _address(engine, web, one)
    assert _addresses(engine, asker, "naru-test-web") == [address]
    assert _addresses(engine, asker, "later") == [address]
    rename = {"name": "naru-test-renamed"}
    engine.api("POST", f"/containers/{web}/rename", query=rename).ok(204)
    assert _addresses(engine, asker, "naru-test-renamed") == [address]
    assert _addresses(engine, asker, "naru-test-web") == []
    engine.api("POST", f"/networks/{one}/disconnect", {"Container": web}).ok(200)
    assert _addresses(engine, asker, "naru-test-renamed") == []


def test_a_link_is_a_name_for_the_asker_alone(engine: Engine) -> None:
    network = engine.network()
    web = engine.up(name="naru-test-web", **_on(network))
    endpoint = {"EndpointsConfig": {network: {"Links": ["naru-test-web:store"]}}}
    asker = engine.up(NetworkingConfig=endpoint, host={"NetworkMode": network})
    stranger = engine.up(**_on(network))
    assert _addresses(engine, asker, "store") == [_address(engine, web, network)]
    assert _addresses(engine, stranger, "store") == []


def test_the_default_network_has_no_name_server(engine: Engine) -> None:
    container = engine.up()
    assert "127.0.0.11" not in engine.exec(container, "cat", "/etc/resolv.conf").out
    network = engine.network()
    engine.api("POST", f"/networks/{network}/connect", {"Container": container}).ok(200)
    assert "nameserver 127.0.0.11" in engine.exec(container, "cat", "/etc/resolv.conf").out
    engine.api("POST", f"/networks/{network}/disconnect", {"Container": container}).ok(200)
    assert "127.0.0.11" not in engine.exec(container, "cat", "/etc/resolv.conf").out


def test_what_nobody_here_is_called_is_asked_elsewhere(engine: Engine) -> None:
    network, inside = engine.network(), engine.network(Internal=True)
    address = loopback_address()
    with name_server(address, {"out.example": "192.0.2.7", "large.example": "192.0.2.8"}) as server:
        options = {"Dns": [address], "DnsSearch": ["example"], "DnsOptions": ["timeout:1"]}
        asker = engine.up(name="naru-test-web", **_on(network, **options))
        text = engine.exec(asker, "cat", "/etc/resolv.conf").out
        assert "nameserver 127.0.0.11\nsearch example\noptions timeout:1 ndots:0\n" in text
        assert _addresses(engine, asker, "out.example") == ["192.0.2.7"]
        assert "192.0.2.7" in engine.exec(asker, "ping", "-c1", "-w1", "out").out
        assert _addresses(engine, asker, "nobody.example") == []
        # Names of containers, and that they have no address of some kind, leave nothing behind.
        server.asked.clear()
        assert engine.exec(asker, "ping", "-c1", "-w5", "naru-test-web").code == 0
        assert server.asked == []
        sandbox = engine.inspect(asker)["NetworkSettings"]["SandboxKey"]
        cut = _ask(sandbox, "large.example")
        assert (bool(cut.flags & dns.flags.TC), cut.answer) == (True, [])
        assert _ask(sandbox, "large.example", over_tcp=True).answer
        hidden = engine.up(**_on(inside, **options))
        server.asked.clear()
        assert _addresses(engine, hidden, "out.example") == []
        assert server.asked == []


def _ask(netns: str, name: str, *, over_tcp: bool = False) -> dns.message.Message:
    """Ask the server of a sandbox from within, as a process of the container would."""
    query = dns.message.make_query(name, "A").to_wire()

    def inside() -> bytes:
        kind = socket.SOCK_STREAM if over_tcp else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as client:
            client.settimeout(15)
            client.connect(("127.0.0.11", 53))
            client.sendall(struct.pack("!H", len(query)) + query if over_tcp else query)
            reply = client.recv(4096)
        return reply[2:] if over_tcp else reply

    return dns.message.from_wire(in_netns(Path(netns), inside))


def _client() -> socket.socket:
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(15)
    client.connect(("127.0.0.11", 53))
    return client


def _ask_from(client: socket.socket, name: str) -> dns.message.Message:
    client.send(dns.message.make_query(name, "A").to_wire())
    return dns.message.from_wire(client.recv(4096))


def _received(server: socket.socket) -> int:
    """Return how many questions lie at a server that nobody reads, and take them away."""
    server.setblocking(False)
    count = 0
    with contextlib.suppress(BlockingIOError):
        while server.recv(4096):
            count += 1
    return count


@pytest.mark.naru_only
def test_a_silent_server_is_passed_over_and_blocks_nobody(engine: Engine) -> None:
    network = engine.network()
    # What takes and never answers is a socket that nobody reads.
    taking, refusing, answering = (loopback_address() for _ in range(3))
    with (
        name_server(answering, {"out.example": "192.0.2.7"}),
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent,
    ):
        silent.bind((taking, 53))
        servers = [taking, refusing, answering]
        asker = engine.up(name="naru-test-web", **_on(network, Dns=servers))
        sandbox = engine.inspect(asker)["NetworkSettings"]["SandboxKey"]
        assert _ask(sandbox, "out.example").answer
        # Who asks for neighbours does not wait for questions that wait.
        waiting = engine.up(**_on(network, Dns=[taking]))
        netns = Path(engine.inspect(waiting)["NetworkSettings"]["SandboxKey"])
        with in_netns(netns, _client) as client:
            for name in ("nobody.example", "naru-test-web"):
                client.send(dns.message.make_query(name, "A").to_wire())
            first, then = (dns.message.from_wire(client.recv(4096)) for _ in range(2))
        assert first.question[0].name.to_text() == "naru-test-web."
        assert first.answer
        assert then.rcode() == dns.rcode.SERVFAIL
        # From now on it is asked last, which is never when another one answers.
        assert _received(silent) > 0
        assert _ask(sandbox, "out.example").answer
        assert _received(silent) == 0
    dead = engine.up(**_on(network, Dns=[refusing]))
    sandbox = engine.inspect(dead)["NetworkSettings"]["SandboxKey"]
    assert _ask(sandbox, "out.example").rcode() == dns.rcode.SERVFAIL
    assert _ask(sandbox, "naru-test-web").answer


def test_a_container_may_have_port_53_itself(engine: Engine) -> None:
    network = engine.network()
    engine.up(name="naru-test-web", **_on(network))
    script = "nc -ll -p 53 -e echo mine & sleep 1000"
    asker = engine.up("sh", "-c", script, **_on(network))

    def answers() -> bool:
        return engine.exec(asker, "nc", "-w1", "127.0.0.1", "53").out == "mine\n"

    eventually(answers, "the container's own server answers")
    assert _addresses(engine, asker, "naru-test-web")


@pytest.mark.naru_only
def test_names_outlive_the_engine(make_engine: Callable[..., EngineUnderTest]) -> None:
    engine = make_engine()
    network = engine.network()
    web = engine.up(name="naru-test-web", **_on(network))
    asker = engine.up(**_on(network))
    address = _address(engine, web, network)
    sandbox = engine.inspect(asker)["NetworkSettings"]["SandboxKey"]
    with in_netns(Path(sandbox), _client) as kept:
        for how in ("kill9", "terminate"):
            assert _addresses(engine, asker, "naru-test-web") == [address]
            assert _ask_from(kept, "naru-test-web").answer
            engine.restart(how=how)
        # Also one who asks from the same socket all the time, whose way the kernel remembers.
        assert _ask_from(kept, "naru-test-web").answer
    assert _addresses(engine, asker, "naru-test-web") == [address]
    times = []
    for _ in range(100):
        began = time.monotonic()
        assert _ask(sandbox, "naru-test-web").answer
        times.append(time.monotonic() - began)
    print(f"a name takes {statistics.median(times) * 1000:.2f} ms, a thread's start included")


@pytest.mark.naru_only
def test_garbage_is_answered_or_ignored(engine: Engine) -> None:
    network = engine.network()
    asker = engine.up(name="naru-test-web", **_on(network))
    sandbox = engine.inspect(asker)["NetworkSettings"]["SandboxKey"]

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(("127.0.0.11", 53))
            for size in range(400):
                client.send(bytes((size * 7 + n) % 256 for n in range(size)))
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
            client.connect(("127.0.0.11", 53))
            client.sendall(b"\xff\xff" + b"x" * 1000)

    in_netns(Path(sandbox), flood)
    assert _addresses(engine, asker, "naru-test-web")
