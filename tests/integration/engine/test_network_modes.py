"""Networks of containers: addresses, names, and the modes none, host and container."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
from typing import Any

import pytest

from harness.engine import Engine
from harness.waiting import eventually


def _address(engine: Engine, container: str) -> str:
    address = engine.inspect(container)["NetworkSettings"]["IPAddress"]
    assert isinstance(address, str)
    return address


def test_every_container_has_an_address_of_its_own(engine: Engine) -> None:
    containers = [engine.up() for _ in range(4)]
    addresses = {_address(engine, container) for container in containers}
    assert len(addresses) == 4
    for container in containers:
        network = engine.inspect(container)["NetworkSettings"]
        subnet = ipaddress.ip_network(
            f"{network['IPAddress']}/{network['IPPrefixLen']}", strict=False
        )
        assert ipaddress.ip_address(network["Gateway"]) in subnet
        shown = engine.exec(container, "ip", "-4", "addr", "show", "eth0").out
        assert f"inet {network['IPAddress']}/{network['IPPrefixLen']}" in shown
        assert f"default via {network['Gateway']}" in engine.exec(container, "ip", "route").out


def test_containers_reach_each_other(engine: Engine) -> None:
    server = engine.up("nc", "-ll", "-p", "7000", "-e", "echo", "hello")
    script = f"until nc {_address(engine, server)} 7000 </dev/null; do sleep 0.05; done"
    assert engine.sh(script).out == "hello\n"


def test_the_host_reaches_a_container(engine: Engine) -> None:
    container = engine.up("nc", "-ll", "-p", "7000", "-e", "echo", "hello")
    address = _address(engine, container)
    assert address

    def greets() -> bool:
        with (
            contextlib.suppress(ConnectionRefusedError),
            socket.create_connection((address, 7000), timeout=20) as stream,
        ):
            return stream.recv(16) == b"hello\n"
        return False

    eventually(greets, "the container listens")


def test_an_address_is_free_again_after_its_container(engine: Engine) -> None:
    first = engine.up()
    address = _address(engine, first)
    engine.remove(first)
    seen = set()
    for _ in range(3):
        container = engine.up()
        seen.add(_address(engine, container))
        engine.remove(container)
    assert "" not in seen
    assert address


def test_the_mac_address_may_be_chosen(engine: Engine) -> None:
    container = engine.up(MacAddress="02:42:ac:11:65:43")
    assert engine.exec(container, "cat", "/sys/class/net/eth0/address").out == "02:42:ac:11:65:43\n"
    network = engine.inspect(container)["NetworkSettings"]
    assert network["Networks"]["bridge"]["MacAddress"] == "02:42:ac:11:65:43"


def test_loopback_is_up(engine: Engine) -> None:
    done = engine.sh("ip addr show lo; ping -c 1 -W 2 127.0.0.1 > /dev/null && echo fine")
    assert "127.0.0.1/8" in done.out
    assert done.out.endswith("fine\n")


def test_hosts_names_the_container_itself(engine: Engine) -> None:
    container = engine.up()
    hosts = engine.exec(container, "cat", "/etc/hosts").out
    assert f"{_address(engine, container)}\t{container[:12]}\n" in hosts
    assert "127.0.0.1\tlocalhost\n" in hosts


def test_more_hosts_can_be_named(engine: Engine) -> None:
    host = {"ExtraHosts": ["db:192.0.2.7", "six:2001:db8::1", "me:host-gateway"]}
    container = engine.up(host=host)
    hosts = engine.exec(container, "cat", "/etc/hosts").out
    gateway = engine.inspect(container)["NetworkSettings"]["Gateway"]
    assert "192.0.2.7\tdb\n" in hosts
    assert "2001:db8::1\tsix\n" in hosts
    assert f"{gateway}\tme\n" in hosts or not engine.is_naru


def test_resolvers_are_the_hosts_or_chosen(engine: Engine) -> None:
    host = {"Dns": ["192.0.2.53"], "DnsSearch": ["example.test"], "DnsOptions": ["ndots:3"]}
    text = engine.sh("cat /etc/resolv.conf", host=host).out
    assert re.search(r"^nameserver 192\.0\.2\.53$", text, re.MULTILINE)
    assert re.search(r"^search example\.test$", text, re.MULTILINE)
    assert re.search(r"^options ndots:3$", text, re.MULTILINE)


def test_the_etc_files_can_be_written_and_stay(engine: Engine) -> None:
    container = engine.create("sh", "-c", "cat /etc/hosts; echo 192.0.2.9 mine >> /etc/hosts")
    engine.start(container)
    assert engine.wait(container) == 0


def test_none_has_nothing_but_loopback(engine: Engine) -> None:
    done = engine.sh("ls /sys/class/net; ip route", host={"NetworkMode": "none"})
    assert done.out.split() == ["lo"]
    network = engine.inspect(done.id)["NetworkSettings"]
    assert network["IPAddress"] == ""
    assert list(network["Networks"]) == ["none"]


def test_host_is_the_hosts_own(engine: Engine) -> None:
    done = engine.sh(
        "readlink /proc/self/ns/net; hostname; cat /etc/resolv.conf", host={"NetworkMode": "host"}
    )
    lines = done.out.splitlines()
    assert lines[0] == os.readlink("/proc/self/ns/net")
    assert lines[1] == os.uname().nodename
    assert list(engine.inspect(done.id)["NetworkSettings"]["Networks"]) == ["host"]


def test_container_shares_the_network_of_another(engine: Engine) -> None:
    other = engine.up("nc", "-ll", "-p", "7000", "-e", "echo", "shared", name="naru-test-net")
    script = "until nc 127.0.0.1 7000 </dev/null; do sleep 0.05; done; hostname; cat /etc/hosts"
    done = engine.sh(script, host={"NetworkMode": "container:naru-test-net"})
    lines = done.out.splitlines()
    assert lines[:2] == ["shared", other[:12]]
    assert f"{_address(engine, other)}\t{other[:12]}" in lines
    mode = engine.inspect(done.id)["HostConfig"]["NetworkMode"]
    assert mode == f"container:{other}"


def test_a_shared_network_goes_on_without_the_one_who_joined(engine: Engine) -> None:
    other = engine.up()
    joined = engine.up(host={"NetworkMode": f"container:{other}"})
    engine.remove(joined)
    assert "eth0" in engine.exec(other, "ip", "link").out


def test_joining_a_stopped_container_is_refused(engine: Engine) -> None:
    other = engine.sh("true").id
    container = engine.create("true", host={"NetworkMode": f"container:{other}"})
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.status == 409
    assert answer.message == f"cannot join network of a non running container: {other}"


def test_joining_oneself_is_refused(engine: Engine) -> None:
    host = {"NetworkMode": "container:naru-test-self"}
    answer = engine.refusal("true", host=host, name="naru-test-self")
    assert answer.status in (400, 404, 409, 500)
    assert answer.message


def test_circles_of_containers_are_refused(engine: Engine) -> None:
    first = engine.create("true", name="naru-test-a", host={"NetworkMode": "none"})
    engine.remove(first)
    second = engine.create("true", name="naru-test-b")
    third = engine.create("true", name="naru-test-c", host={"NetworkMode": "container:naru-test-b"})
    engine.remove(second)
    engine.create("true", name="naru-test-b", host={"NetworkMode": "container:naru-test-c"})
    for container in (third, "naru-test-b"):
        answer = engine.api("POST", f"/containers/{container}/start")
        assert answer.status in (404, 409)


@pytest.mark.parametrize(
    ("mode", "config", "host", "words"),
    [
        ("host", {}, {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}, ""),
        (
            "container:x",
            {"Hostname": "own"},
            {},
            "conflicting options: hostname and the network mode",
        ),
        (
            "container:x",
            {},
            {"Dns": ["192.0.2.1"]},
            "conflicting options: dns and the network mode",
        ),
        (
            "container:x",
            {"ExposedPorts": {"80/tcp": {}}},
            {},
            "conflicting options: port exposing and the container type network mode",
        ),
        (
            "container:x",
            {},
            {"ExtraHosts": ["a:192.0.2.1"]},
            "conflicting options: custom host-to-IP mapping and the network mode",
        ),
        (
            "container:x",
            {},
            {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}},
            "conflicting options: port publishing and the container type network mode",
        ),
        (
            "host",
            {},
            {"UTSMode": "host", "Links": ["a:b"]},
            "conflicting options: host type networking can't be used with links",
        ),
    ],
)
def test_options_that_exclude_the_mode_are_refused(
    engine: Engine, mode: str, config: dict[str, Any], host: dict[str, Any], words: str
) -> None:
    answer = engine.ask_to_create("true", host={"NetworkMode": mode, **host}, **config)
    if not words:
        # Published ports mean nothing on the host's network: a warning, not an error.
        made = answer.ok(201).json()
        engine.remove(made["Id"])
        assert made["Warnings"] == ["Published ports are discarded when using host network mode"]
        return
    assert answer.status == 400
    assert words in answer.message


def test_an_unknown_network_is_not_found(engine: Engine) -> None:
    answer = engine.refusal("true", host={"NetworkMode": "naru-test-nowhere"})
    assert answer.status == 404
    assert answer.message.endswith("network naru-test-nowhere not found")


def test_the_three_default_networks_are_listed(engine: Engine) -> None:
    networks = {item["Name"]: item for item in engine.api("GET", "/networks").ok(200).json()}
    assert {"bridge", "host", "none"} <= set(networks)
    assert [networks[name]["Driver"] for name in ("bridge", "host", "none")] == [
        "bridge",
        "host",
        "null",
    ]
    assert networks["bridge"]["IPAM"]["Config"][0]["Subnet"]
    assert networks["bridge"]["Scope"] == "local"


@pytest.mark.parametrize("mode", ["bridge", "host", "none"])
def test_a_container_that_ended_tells_which_network_it_was_on(engine: Engine, mode: str) -> None:
    network = engine.api("GET", f"/networks/{mode}").ok(200).json()["Id"]
    container = engine.create("true", host={"NetworkMode": mode})
    assert engine.inspect(container)["NetworkSettings"]["Networks"][mode]["NetworkID"] == ""
    engine.start(container)
    engine.wait(container)
    found = engine.inspect(container)["NetworkSettings"]["Networks"][mode]
    assert (found["NetworkID"], found["EndpointID"], found["IPAddress"]) == (network, "", "")


def test_a_network_tells_who_is_on_it(engine: Engine) -> None:
    container = engine.up(name="naru-test-member")
    found = engine.api("GET", "/networks/bridge").ok(200).json()["Containers"][container]
    assert found["Name"] == "naru-test-member"
    assert found["IPv4Address"].split("/")[0] == _address(engine, container)
