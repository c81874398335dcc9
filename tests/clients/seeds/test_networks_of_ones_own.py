"""Networks: listed, made, joined, left, looked at, removed."""

from __future__ import annotations

import json
from ipaddress import IPv6Network, ip_address, ip_network

import pytest

from harness.clients import Client
from harness.engine import LABEL
from harness.requirements import requires

pytestmark = requires("root")
_MINE = f"--label={LABEL}"


@pytest.mark.seed("S093")
def test_networks_are_listed_and_filtered(client: Client) -> None:
    drivers = client.say("network", "ls", "--format", "{{.Name}} {{.Driver}} {{.Scope}}")
    assert {"bridge bridge local", "host host local", "none null local"} <= set(
        drivers.splitlines()
    )
    assert client.show("{{.HostConfig.NetworkMode}}", client.up("busybox", "sleep", "99")) in (
        "bridge",
        "default",
    )
    made = client.say("network", "create", _MINE, "seeds-listed")
    short = client.say("network", "ls", "-q", "-f", "driver=bridge").splitlines()
    assert made[:12] in short
    assert made in client.say("network", "ls", "-q", "--no-trunc").splitlines()
    for wanted in ("name=seeds-l", f"id={made[:8]}", f"label={LABEL}", "type=custom"):
        found = client.say("network", "ls", "-q", "--no-trunc", "-f", wanted).splitlines()
        assert made in found, wanted
    idle = client.say("network", "ls", "-q", "--no-trunc", "-f", "dangling=true")
    assert made in idle.splitlines()
    assert client.say("network", "ls", "-q", "-f", "driver=null") != ""
    head = client.say("network", "ls", "-f", "scope=local").splitlines()[0].split()
    assert head == ["NETWORK", "ID", "NAME", "DRIVER", "SCOPE"]
    refused = client("network", "ls", "-f", "colour=red")
    assert (refused.code, "invalid filter" in refused.err) == (1, True)


@pytest.mark.seed("S094")
def test_a_network_is_made_with_the_addresses_one_wants(client: Client) -> None:
    made = client.say("network", "create", "-d=bridge", _MINE, "web-network")
    assert len(made) == 64
    int(made, 16)
    ranged = ("--subnet", "10.250.94.0/24", "--ip-range", "10.250.94.128/25", "--ipv6")
    client.say("network", "create", _MINE, *ranged, "seeds-ranged")
    pools = json.loads(
        client.say("network", "inspect", "-f", "{{json .IPAM.Config}}", "seeds-ranged")
    )
    assert pools[0]["Subnet"] == "10.250.94.0/24"
    assert IPv6Network(pools[1]["Subnet"]).subnet_of(IPv6Network("fd00::/8"))
    client.up("--name", "seeds-in", "--net", "seeds-ranged", "busybox", "sleep", "99")
    ends = json.loads(client.show("{{json .NetworkSettings.Networks}}", "seeds-in"))
    end = ends["seeds-ranged"]
    assert ip_address(end["IPAddress"]) in ip_network("10.250.94.128/25")
    assert ip_address(end["GlobalIPv6Address"]) in ip_network(pools[1]["Subnet"])
    twice = client("network", "create", _MINE, "--subnet", "10.250.94.0/25", "seeds-over")
    assert twice.code == 1
    assert "Pool overlaps with other one on this address space" in twice.err
    again = client("network", "create", _MINE, "web-network")
    assert again.code == 1
    assert "network with name web-network already exists" in again.err


@pytest.mark.seed("S095", "S097", "S098")
def test_a_container_joins_and_leaves_while_it_runs(client: Client) -> None:
    client.say("network", "create", _MINE, "--subnet", "10.250.95.0/24", "web-network")
    client.say("network", "create", _MINE, "seeds-plain")
    webapp = client.say("container", "run", "-itd", "--name=webapp", "--net=web-network", "busybox")
    other = client.up("--name", "seeds-other", "busybox", "sleep", "99")
    joined = ("--ip", "10.250.95.77", "--alias", "front", "--link", "webapp:behind")
    client.say("network", "connect", *joined, "web-network", "seeds-other")
    assert "10.250.95.77" in client.say("exec", "webapp", "nslookup", "front")
    client.say("exec", "seeds-other", "ping", "-c1", "-w5", "behind")
    unsuited = client("network", "connect", "--ip", "10.9.9.9", "seeds-plain", "webapp")
    assert unsuited.code == 1
    inside = json.loads(
        client.say("network", "inspect", "-f", "{{json .Containers}}", "web-network")
    )
    assert {key: value["Name"] for key, value in inside.items()} == {
        webapp: "webapp",
        other: "seeds-other",
    }
    assert inside[other]["IPv4Address"] == "10.250.95.77/24"
    shown = json.loads(client.say("network", "inspect", "web-network"))
    assert shown[0]["Driver"] == "bridge"
    refused = client("network", "rm", "web-network")
    assert refused.code == 1
    assert "has active endpoints" in refused.err
    client.say("network", "disconnect", "web-network", "seeds-other")
    assert client("exec", "seeds-other", "ping", "-c1", "-w1", "10.250.95.2").code != 0
    client.say("network", "disconnect", "-f", "web-network", "webapp")
    assert client.say("network", "rm", "web-network") == "web-network"
    missing = client("network", "inspect", "web-network")
    assert (missing.code, missing.out) == (1, "[]\n")


@pytest.mark.seed("S096")
def test_a_misspelt_word_is_told_as_docker_tells_it(client_28: Client) -> None:
    refused = client_28("network", "disconnet", "web-network", "webapp")
    assert refused.code == 1
    program = client_28.program
    lines = refused.err.splitlines()
    assert lines[0] == f"{program}: unknown command: {program} network disconnet"
    assert f"Run '{program} network --help' for more information" in lines
