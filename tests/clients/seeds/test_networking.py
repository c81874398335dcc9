"""Addresses, ports and names of containers."""

from __future__ import annotations

import json
import os
import re
import urllib.request
from collections.abc import Iterator
from ipaddress import ip_address, ip_network

import pytest

from harness.clients import Client
from harness.engine import LABEL
from harness.name_server import name_server
from harness.ports import free_port, loopback_address
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = requires("root")
_PAGE = ("sh", "-c", "echo served > /index.html; exec httpd -f -p 80 -h /")


def _fetched(address: str) -> bytes:
    def fetch() -> bytes:
        try:
            with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
                return bytes(answer.read())
        except OSError:
            return b""

    return eventually(fetch, f"{address} answers")


@pytest.fixture
def network(client: Client) -> Iterator[str]:
    """Give a network of the user's."""
    name = "seeds-net"
    client("network", "create", f"--label={LABEL}", name).ok()
    yield name
    client.engine.remove_all()


@pytest.mark.seed("S035", "S053")
@pytest.mark.naru_only
def test_a_published_port_is_reached_and_listed(client: Client) -> None:
    port, other = free_port(), free_port()
    words = ("--name", "seeds-web", "-d", "-p", f"{port}:80", "-p", f"127.0.0.1:{other}:81/udp")
    client("run", *words, "busybox", *_PAGE).ok()
    assert _fetched(f"127.0.0.1:{port}") == b"served\n"
    form = "{{with .NetworkSettings.Networks.bridge}}{{.Gateway}} {{.IPAddress}}{{end}}"
    machine, inside = client.show(form, "seeds-web").split()
    assert _fetched(f"{machine}:{port}") == _fetched(f"{inside}:80") == b"served\n"
    everywhere = [f"0.0.0.0:{port}", f"[::]:{port}"]
    listed = client.say("container", "port", "seeds-web").splitlines()
    assert listed[-1] == f"81/udp -> 127.0.0.1:{other}"
    # The second line is there where the machine has IPv6.
    assert listed[:-1] in ([f"80/tcp -> {a}" for a in everywhere[:n]] for n in (1, 2))
    for word in ("80", "80/tcp"):
        assert client.say("port", "seeds-web", word).splitlines()[0] == everywhere[0]
    assert client.say("port", "seeds-web", "81/udp") == f"127.0.0.1:{other}"
    missing = client("port", "seeds-web", "82")
    assert missing.code == 1
    # Elder commands add the protocol.
    assert re.search("no public port '82(/tcp)?' published for seeds-web", missing.err.lower())


@pytest.mark.seed("S036", "S039")
def test_the_engine_draws_ports_for_what_is_exposed(client: Client) -> None:
    one = client.up("-p", "80", "busybox", "sleep", "1000")
    shown = client.say("ps", "--filter", f"id={one}", "--format", "{{.Ports}}")
    assert re.match(r"0\.0\.0\.0:\d{4,5}->80/tcp", shown)
    exposed = ("--expose", "8000-8010", "--expose", "53/udp")
    ports = {f"{port}/tcp" for port in range(8000, 8011)} | {"53/udp"}
    quiet = client.up(*exposed, "busybox", "sleep", "1000")
    assert set(json.loads(client.show("{{json .Config.ExposedPorts}}", quiet))) == ports
    assert client.say("port", quiet) == ""
    shown = client.say("ps", "--filter", f"id={quiet}", "--format", "{{.Ports}}")
    assert shown == "53/udp, 8000-8010/tcp"
    every = client.up("-P", *exposed, "busybox", "sleep", "1000")
    published = json.loads(client.show("{{json .NetworkSettings.Ports}}", every))
    assert set(published) == ports
    drawn = [bindings[0]["HostPort"] for bindings in published.values()]
    assert len(set(drawn)) == len(drawn)


@pytest.mark.seed("S037", "S038")
def test_hosts_and_servers_of_names_are_what_was_asked_for(client: Client) -> None:
    words = ["--add-host=db:10.1.2.3", "--add-host", "gate:host-gateway", "--dns=10.9.8.7"]
    words += ["--dns-search", "example.org", "--dns-option", "ndots:2"]
    container = client.up(*words, "busybox", "sleep", "1000")
    hosts = client.say("exec", container, "cat", "/etc/hosts").splitlines()
    assert "10.1.2.3\tdb" in hosts
    gateway = client.show("{{.NetworkSettings.Networks.bridge.Gateway}}", container)
    assert f"{gateway}\tgate" in hosts
    lines = client.say("exec", container, "cat", "/etc/resolv.conf").splitlines()
    kept = [line for line in lines if line and not line.startswith("#")]
    assert sorted(kept) == ["nameserver 10.9.8.7", "options ndots:2", "search example.org"]


@pytest.mark.seed("S040")
@pytest.mark.naru_only
def test_each_mode_of_networking_gives_what_its_name_says(client: Client, network: str) -> None:
    own = client.up("--net=bridge", "busybox", "sleep", "1000")
    address = client.show("{{.NetworkSettings.Networks.bridge.IPAddress}}", own)
    client("rename", own, "seeds-first").ok()
    show = ("busybox", "ip", "-4", "-o", "addr")
    for word in ("seeds-first", own):
        joined = client.say("run", "--rm", f"--net=container:{word}", *show)
        assert f" {address}/" in joined
    alone = client.say("run", "--rm", "--net=none", *show)
    assert [line.split()[1] for line in alone.splitlines()] == ["lo"]
    host = client.say("run", "--rm", "--net=host", "busybox", "readlink", "/proc/self/ns/net")
    assert host == os.readlink("/proc/self/ns/net")
    placed = client.up(f"--network={network}", "busybox", "sleep", "1000")
    subnet = client.say("network", "inspect", "-f", "{{(index .IPAM.Config 0).Subnet}}", network)
    inside = client.show(f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}', placed)
    assert ip_address(inside) in ip_network(subnet)


@pytest.mark.seed("S040")
def test_ports_cannot_be_published_from_the_network_of_another(client: Client) -> None:
    other = client.up("busybox", "sleep", "1000")
    refused = client("run", "-p", "80", f"--net=container:{other}", "busybox", "true")
    assert refused.code == 125
    text = "conflicting options: port publishing and the container type network mode"
    assert text in refused.err
    host = {"NetworkMode": f"container:{other}", "PortBindings": {"80/tcp": [{"HostPort": ""}]}}
    answer = client.engine.ask_to_create(host=host, ExposedPorts={"80/tcp": {}})
    assert (answer.status, answer.json()["message"]) == (400, text)


@pytest.mark.seed("S038", "S054")
@pytest.mark.naru_only
def test_names_on_a_network_follow_renaming_and_others_are_asked_of_the_given_server(
    client: Client, network: str
) -> None:
    address = f'{{{{(index .NetworkSettings.Networks "{network}").IPAddress}}}}'
    named = client.up("--name", "seeds-old", f"--network={network}", "busybox", "sleep", "1000")
    server = loopback_address()
    words = (f"--network={network}", f"--dns={server}", "busybox", "sleep", "1000")
    asking = client.up("--name", "seeds-asking", *words)
    lines = client.say("exec", asking, "cat", "/etc/resolv.conf")
    assert re.findall(r"(?m)^nameserver (.+)$", lines) == ["127.0.0.11"]
    with name_server(server, {"far.example": "192.0.2.9"}):
        assert _told(client, asking, "far.example") == ["192.0.2.9"]
        assert _told(client, asking, "seeds-old") == [client.show(address, named)]
        assert client.say("container", "rename", "seeds-old", "seeds-renamed") == ""
        assert client.show("{{.Name}}", named) == "/seeds-renamed"
        assert _told(client, asking, "seeds-renamed") == [client.show(address, named)]
        assert _told(client, asking, "seeds-old") == []
    clash = client("rename", "seeds-renamed", "seeds-asking")
    assert clash.code == 1
    text = f'Conflict. The container name "/seeds-asking" is already in use by container "{asking}"'
    assert text in clash.err
    answer = client.engine.api(
        "POST", f"/containers/{named}/rename", query={"name": "seeds-asking"}
    )
    assert answer.status == 409


def _told(client: Client, container: str, name: str) -> list[str]:
    """Return the addresses that a container is told of a name."""
    answer = client("exec", container, "nslookup", "-type=a", name)
    return re.findall(r"Name:\s+\S+\nAddress:\s+(\S+)", answer.out)
