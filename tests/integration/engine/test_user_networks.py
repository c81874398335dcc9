"""Networks of one's own: made, joined, left, removed; who reaches whom on them."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.engine import LABEL, Engine
from harness.narud import EngineUnderTest

_SERVE = ("nc", "-ll", "-p", "7000", "-e", "echo", "hello")


def _on(*networks: str, **settings: Any) -> dict[str, Any]:
    """Return the body's words for these networks, the first with `settings`."""
    endpoints = {name: settings if name == networks[0] else {} for name in networks}
    return {"NetworkingConfig": {"EndpointsConfig": endpoints}}


def _joined(network: str) -> dict[str, str]:
    return {"NetworkMode": network}


def _endpoint(engine: Engine, container: str, network: str) -> dict[str, Any]:
    found = engine.inspect(container)["NetworkSettings"]["Networks"][network]
    assert isinstance(found, dict)
    return found


def _asks(engine: Engine, container: str, address: str, tries: int = 20) -> str:
    script = (
        f"for i in $(seq {tries}); do nc -w 1 {address} 7000 </dev/null && break; sleep 0.1; done"
    )
    return engine.exec(container, "sh", "-c", script).out


def test_a_network_is_made_shown_and_removed(engine: Engine) -> None:
    name = engine.network(Labels={"a": "b"}, Internal=True)
    view = engine.api("GET", f"/networks/{name}").ok(200).json()
    assert (view["Driver"], view["Scope"], view["Internal"]) == ("bridge", "local", True)
    assert view["Labels"]["a"] == "b"
    assert view["Containers"] == {}
    assert view["IPAM"]["Config"][0]["Subnet"]
    listed = engine.api("GET", "/networks", query={"filters": {"name": [name]}}).ok(200).json()
    assert [item["Id"] for item in listed] == [view["Id"]]
    assert engine.api("GET", f"/networks/{view['Id'][:12]}").ok(200).json()["Name"] == name
    engine.api("DELETE", f"/networks/{name}").ok(204)
    assert engine.api("GET", f"/networks/{name}").status == 404
    assert engine.api("DELETE", f"/networks/{name}").status == 404


def test_a_network_may_have_any_name(engine: Engine) -> None:
    name = engine.network("nt strange/näme!")
    path = "/networks/nt%20strange/n%C3%A4me!"
    assert engine.api("GET", path).ok(200).json()["Name"] == name
    engine.api("DELETE", path).ok(204)


def test_neighbours_reach_each_other_and_nobody_else(engine: Engine) -> None:
    one, other = engine.network(), engine.network()
    server = engine.up(*_SERVE, host=_joined(one))
    neighbour, stranger = engine.up(host=_joined(one)), engine.up(host=_joined(other))
    default = engine.up()
    address = _endpoint(engine, server, one)["IPAddress"]
    assert _asks(engine, neighbour, address) == "hello\n"
    assert _asks(engine, stranger, address, tries=1) == ""
    assert _asks(engine, default, address, tries=1) == ""
    members = engine.api("GET", f"/networks/{one}").ok(200).json()["Containers"]
    assert set(members) == {server, neighbour}
    assert members[server]["IPv4Address"].startswith(f"{address}/")


def test_an_address_and_a_hardware_address_may_be_chosen(engine: Engine) -> None:
    subnet = {"Subnet": "10.250.8.0/24", "IPRange": "10.250.8.128/25", "Gateway": "10.250.8.9"}
    name = engine.network(
        IPAM={"Config": [{**subnet, "AuxiliaryAddresses": {"x": "10.250.8.128"}}]}
    )
    shown = engine.api("GET", f"/networks/{name}").ok(200).json()["IPAM"]["Config"]
    assert shown == [{**subnet, "AuxiliaryAddresses": {"x": "10.250.8.128"}}]
    chosen = {"IPAMConfig": {"IPv4Address": "10.250.8.77"}, "Aliases": ["web"]}
    container = engine.up(host=_joined(name), **_on(name, **chosen))
    endpoint = _endpoint(engine, container, name)
    assert endpoint["IPAddress"] == "10.250.8.77"
    assert endpoint["Gateway"] == "10.250.8.9"
    assert endpoint["IPAMConfig"] == {"IPv4Address": "10.250.8.77"} or engine.is_naru
    assert "web" in endpoint["Aliases"]
    assert container[:12] in endpoint["Aliases"], "before API 1.45"
    other = engine.up(host=_joined(name))
    assert _endpoint(engine, other, name)["IPAddress"] == "10.250.8.129", "the first of the range"
    third = engine.create("true", host=_joined(name), **_on(name, **chosen))
    answer = engine.api("POST", f"/containers/{third}/start")
    assert answer.status == 403
    assert "Address already in use" in answer.message


def test_networks_come_and_go_while_a_container_runs(engine: Engine) -> None:
    one, other = engine.network(), engine.network()
    server = engine.up(*_SERVE, host=_joined(other))
    address = _endpoint(engine, server, other)["IPAddress"]
    container = engine.up(host=_joined(one))
    assert _asks(engine, container, address, tries=1) == ""
    body = {"Container": container, "EndpointConfig": {"Aliases": ["late"]}}
    engine.api("POST", f"/networks/{other}/connect", body).ok(200)
    second = engine.api("POST", f"/networks/{other}/connect", body)
    assert second.status == 403
    assert "already exists in network" in second.message
    assert _asks(engine, container, address) == "hello\n"
    links = engine.exec(container, "ls", "/sys/class/net").out.split()
    assert links == ["eth0", "eth1", "lo"]
    own = _endpoint(engine, container, other)["IPAddress"]
    assert f"{own}\t{container[:12]}\n" in engine.exec(container, "cat", "/etc/hosts").out
    engine.api("POST", f"/networks/{one}/disconnect", {"Container": container}).ok(200)
    assert list(engine.inspect(container)["NetworkSettings"]["Networks"]) == [other]
    route = engine.exec(container, "ip", "route").out
    assert f"default via {_endpoint(engine, container, other)['Gateway']} dev eth1" in route
    engine.api("POST", f"/networks/{other}/disconnect", {"Container": container}).ok(200)
    assert own not in engine.exec(container, "cat", "/etc/hosts").out
    assert engine.exec(container, "ls", "/sys/class/net").out.split() == ["lo"]
    again = engine.api("POST", f"/networks/{other}/disconnect", {"Container": container})
    assert again.status == 500
    assert f"container {container} is not connected to" in again.message


def test_networks_of_a_stopped_container_are_those_of_its_next_start(engine: Engine) -> None:
    one, other = engine.network(), engine.network()
    container = engine.create("sleep", "1000", host=_joined(one))
    engine.api("POST", f"/networks/{other}/connect", {"Container": container}).ok(200)
    engine.start(container)
    networks = engine.inspect(container)["NetworkSettings"]["Networks"]
    assert set(networks) == {one, other}
    assert all(view["IPAddress"] for view in networks.values())
    engine.api("POST", f"/containers/{container}/stop", query={"t": 0}).ok(204)
    engine.api("POST", f"/networks/{one}/disconnect", {"Container": container}).ok(200)
    engine.start(container)
    assert list(engine.inspect(container)["NetworkSettings"]["Networks"]) == [other]


def test_published_ports_follow_the_way_out(engine: Engine) -> None:
    one, other = engine.network(), engine.network()
    ports = {"PortBindings": {"7000/tcp": [{"HostPort": ""}]}}
    host = {**_joined(one), **ports}
    container = engine.up(*_SERVE, host=host, ExposedPorts={"7000/tcp": {}})
    engine.api("POST", f"/networks/{other}/connect", {"Container": container}).ok(200)
    before = engine.inspect(container)["NetworkSettings"]["Ports"]["7000/tcp"][0]["HostPort"]
    gateway = engine.api("GET", f"/networks/{one}").ok(200).json()["IPAM"]["Config"][0]["Gateway"]
    client = engine.up(host=_joined(one))
    script = f"until nc -w 9 {gateway} {before} </dev/null; do sleep 0.05; done"
    assert engine.exec(client, "sh", "-c", script).out == "hello\n"
    engine.api("POST", f"/networks/{one}/disconnect", {"Container": container}).ok(200)
    after = engine.inspect(container)["NetworkSettings"]["Ports"]["7000/tcp"][0]["HostPort"]
    again = script.replace(f" {before} ", f" {after} ")
    assert engine.exec(client, "sh", "-c", again).out == "hello\n"
    engine.api("POST", f"/networks/{other}/disconnect", {"Container": container}).ok(200)
    assert not engine.inspect(container)["NetworkSettings"]["Ports"].get("7000/tcp")


def test_a_network_in_use_stays(engine: Engine) -> None:
    name = engine.network()
    container = engine.up(host=_joined(name))
    engine.api("POST", f"/containers/{container}/rename", query={"name": "nt-renamed"}).ok(204)
    answer = engine.api("DELETE", f"/networks/{name}")
    assert answer.status == 403
    assert "has active endpoints" in answer.message
    assert '(name:"nt-renamed" id:"' in answer.message or not engine.is_naru
    members = engine.api("GET", f"/networks/{name}").ok(200).json()["Containers"]
    assert members[container]["Name"] == "nt-renamed"
    engine.api("POST", f"/containers/{container}/stop", query={"t": 0}).ok(204)
    engine.api("DELETE", f"/networks/{name}").ok(204)
    engine.network(name)
    start = engine.api("POST", f"/containers/{container}/start")
    assert start.status == 404, "another network of the same name is not the same one"
    assert "not found" in start.message


def test_an_internal_network_has_no_way_out(engine: Engine) -> None:
    inner, outer = engine.network(Internal=True), engine.network()
    server = engine.up(*_SERVE, host=_joined(outer))
    inside = engine.up(*_SERVE, host=_joined(inner))
    client = engine.up(host=_joined(inner))
    assert _asks(engine, client, _endpoint(engine, inside, inner)["IPAddress"]) == "hello\n"
    address = _endpoint(engine, server, outer)["IPAddress"]
    assert _asks(engine, client, address, tries=1) == ""
    both = engine.up(host=_joined(inner), **_on(inner))
    engine.api("POST", f"/networks/{outer}/connect", {"Container": both}).ok(200)
    assert _asks(engine, both, address) == "hello\n", "the other network leads out"


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"Name": "bridge"}, 403, "operation is not permitted on predefined bridge network "),
        ({"Name": "nt-x", "Driver": "nosuch"}, 404, 'plugin "nosuch" not found'),
        ({"Name": "nt-x", "Driver": "host"}, 403, 'only one instance of "host" network is allowed'),
        ({"Name": "nt-x", "Scope": "swarm"}, 403, "cannot create a swarm scoped network when"),
        ({"Name": "nt-x", "Ingress": True}, 403, "Ingress network can only be global scope"),
        ({"Name": "nt-x", "Driver": "overlay"}, None, "This node is not a swarm manager. Use"),
        ({"Name": "nt-x", "IPAM": {"Driver": "nosuch"}}, 404, 'plugin "nosuch" not found'),
        (
            {"Name": "nt-x", "Options": {"com.docker.network.driver.mtu": "x"}},
            None,
            "failed to parse com.docker.network.driver.mtu value: x (strconv.Atoi",
        ),
        (
            {"Name": "nt-x", "IPAM": {"Config": [{"Subnet": "10.250.9.0/24"}, {"Subnet": "10.250.10.0/24"}]}},
            403,
            "bridge driver doesn't support multiple subnets",
        ),
        (
            {"Name": "nt-x", "IPAM": {"Config": [{"Subnet": "10.250.9.0/24", "Gateway": "10.250.9.255"}]}},
            None,
            "failed to allocate gateway (10.250.9.255): Address already in use",
        ),
        (
            {
                "Name": "nt-x",
                "IPAM": {
                    "Config": [
                        {
                            "Subnet": "10.250.9.0/24",
                            "Gateway": "10.250.9.1",
                            "AuxiliaryAddresses": {"a": "10.250.9.1"},
                        }
                    ]
                },
            },
            None,
            "failed to allocate secondary ip address (a:10.250.9.1): Address already in use",
        ),
    ],
)  # fmt: skip
def test_networks_that_cannot_be_are_refused(
    engine: Engine, body: dict[str, Any], status: int | None, message: str
) -> None:
    answer = engine.api("POST", "/networks/create", body)
    assert status in (None, answer.status)
    assert message in answer.message
    assert engine.api("GET", f"/networks/{body['Name']}").status == (
        200 if body["Name"] == "bridge" else 404
    )


def test_a_name_or_a_subnet_that_is_taken_is_refused(engine: Engine) -> None:
    name = engine.network(IPAM={"Config": [{"Subnet": "10.250.12.0/24"}]})
    answer = engine.api("POST", "/networks/create", {"Name": name, "CheckDuplicate": True})
    assert (answer.status, answer.message) == (409, f"network with name {name} already exists")
    body = {"Name": f"{name}-2", "IPAM": {"Config": [{"Subnet": "10.250.12.128/25"}]}}
    answer = engine.api("POST", "/networks/create", body)
    assert answer.status == 403
    assert "Pool overlaps with other one on this address space" in answer.message


def test_misfits_are_refused_in_dockers_words(engine: Engine) -> None:
    name = engine.network()
    container, lonely = engine.up(), engine.up(host=_joined("none"))
    for network, who, status, message in (
        ("none", container, 400, "one of the networks in private (none) mode"),
        (name, lonely, 400, "one of the networks in private (none) mode"),
        ("host", container, 400, "host network"),
        ("nosuch", container, 404, "network nosuch not found"),
        (name, "nosuch", 404, "No such container: nosuch"),
        (name, "", 400, 'invalid name or ID supplied: ""'),
    ):
        answer = engine.api("POST", f"/networks/{network}/connect", {"Container": who})
        assert (answer.status, message in answer.message) == (status, True), answer.message
    asked = {"IPAMConfig": {"IPv4Address": "10.250.1.2"}}
    body = {"Container": container, "EndpointConfig": asked}
    answer = engine.api("POST", f"/networks/{name}/connect", body)
    assert answer.status == 400
    assert (
        "supported only when connecting to networks with user configured subnets" in answer.message
    )
    missing = engine.create("true", host=_joined("nosuch"))
    answer = engine.api("POST", f"/containers/{missing}/start")
    assert answer.status == 404
    assert "network nosuch not found" in answer.message
    for network in ("bridge", "none", "host"):
        answer = engine.api("DELETE", f"/networks/{network}")
        expected = f"{network} is a pre-defined network and cannot be removed"
        assert (answer.status, answer.message) == (403, expected)


def test_events_tell_what_happens_to_networks(engine: Engine) -> None:
    since = time.time()
    name = engine.network()
    network_id = engine.api("GET", f"/networks/{name}").ok(200).json()["Id"]
    container = engine.up()
    engine.api("POST", f"/networks/{name}/connect", {"Container": container}).ok(200)
    engine.api("POST", f"/networks/{name}/disconnect", {"Container": container}).ok(200)
    engine.api("DELETE", f"/networks/{name}").ok(204)
    events = engine.events(since, type=["network"], network=[name])
    # Docker 20.10 tells the disconnect of a running container twice.
    actions = list(dict.fromkeys(event["Action"] for event in events))
    assert actions == ["create", "connect", "disconnect", "destroy"]
    assert {event["Actor"]["ID"] for event in events} == {network_id}
    plain = {"name": name, "type": "bridge"}
    assert events[0]["Actor"]["Attributes"] == plain
    assert events[1]["Actor"]["Attributes"] == {**plain, "container": container}


def test_prune_takes_what_nobody_uses(engine: Engine) -> None:
    used, kept, unused = engine.network(), engine.network(Labels={"keep": "1"}), engine.network()
    engine.up(host=_joined(used))
    query = {"filters": {"label!": ["keep"], "label": [LABEL]}}
    answer = engine.api("POST", "/networks/prune", query=query).ok(200).json()
    assert unused in answer["NetworksDeleted"]
    for name, status in ((used, 200), (kept, 200), (unused, 404)):
        assert engine.api("GET", f"/networks/{name}").status == status
    answer = engine.api(
        "POST", "/networks/prune", query={"filters": {"until": ["24h"], "label": [LABEL]}}
    )
    assert not answer.ok(200).json()["NetworksDeleted"]


def test_many_networks_with_several_containers_come_and_go(engine: Engine) -> None:
    names = [engine.network() for _ in range(6)]

    def fill(name: str) -> list[str]:
        return [engine.up(host=_joined(name)) for _ in range(2)]

    with ThreadPoolExecutor(len(names)) as pool:
        containers = dict(zip(names, pool.map(fill, names), strict=True))
    addresses = {
        _endpoint(engine, container, name)["IPAddress"]
        for name, found in containers.items()
        for container in found
    }
    assert len(addresses) == 12

    def empty(name: str) -> None:
        for container in containers[name]:
            engine.remove(container)

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(empty, names))
        list(pool.map(lambda name: engine.api("DELETE", f"/networks/{name}").ok(204), names))


@pytest.mark.naru_only
def test_networks_and_their_containers_survive_the_engine(own_engine: EngineUnderTest) -> None:
    engine = own_engine
    one, other = engine.network(EnableIPv6=True), engine.network()
    server = engine.up(*_SERVE, host=_joined(one))
    container = engine.up(host=_joined(one))
    engine.api("POST", f"/networks/{other}/connect", {"Container": container}).ok(200)
    before = engine.inspect(container)["NetworkSettings"]["Networks"]
    engine.restart(how="kill9")
    assert engine.inspect(container)["NetworkSettings"]["Networks"] == before
    address = _endpoint(engine, server, one)["IPAddress"]
    assert _asks(engine, container, address) == "hello\n"
    assert engine.api("DELETE", f"/networks/{one}").status == 403
    third = engine.up(host=_joined(one))
    taken = {_endpoint(engine, each, one)["IPAddress"] for each in (server, container, third)}
    assert len(taken) == 3
    engine.lose_power()
    engine.start_engine()
    engine.start(container)
    assert set(engine.inspect(container)["NetworkSettings"]["Networks"]) == {one, other}


def test_a_network_is_looked_at_as_one_asks(engine: Engine) -> None:
    name = engine.network()
    for query, status in (
        ({"verbose": "1"}, 200),
        ({"verbose": ""}, 200),
        ({"verbose": "x"}, 400),
        ({"scope": "local"}, 200),
        ({"scope": "swarm"}, 404),
    ):
        answer = engine.api("GET", f"/networks/{name}", query=query)
        assert answer.status == status, query
    answer = engine.api("GET", f"/networks/{name}", query={"verbose": "x"})
    assert answer.message == (
        'invalid value for verbose: x: strconv.ParseBool: parsing "x": invalid syntax'
    )


@pytest.mark.naru_only
def test_the_smallest_subnet_has_a_gateway_and_a_container(engine: Engine) -> None:
    name = engine.network(IPAM={"Config": [{"Subnet": "10.250.43.0/31"}]})
    container = engine.up(host=_joined(name))
    end = _endpoint(engine, container, name)
    assert (end["Gateway"], end["IPAddress"]) == ("10.250.43.0", "10.250.43.1")
    assert "bytes from" in engine.exec(container, "ping", "-c1", "-w5", "10.250.43.0").out
    other = engine.create("true", host=_joined(name))
    answer = engine.api("POST", f"/containers/{other}/start")
    assert "no available IPv4 addresses on this network's address pools" in answer.message


def test_a_container_that_comes_back_is_where_it_asked_to_be(engine: Engine) -> None:
    name = engine.network(IPAM={"Config": [{"Subnet": "10.250.44.0/24"}]})
    asked = {"IPAMConfig": {"IPv4Address": "10.250.44.77"}}
    mac = {"MacAddress": "02:00:00:00:44:77"}
    container = engine.up(host=_joined(name), **_on(name, **asked), **mac)
    # Who comes meanwhile gets others.
    engine.up(host=_joined(name))
    for _ in range(3):
        # Its old wire is on its way out when the new one is laid.
        engine.api("POST", f"/containers/{container}/restart", query={"t": 0}).ok(204)
    engine.api("POST", f"/containers/{container}/stop", query={"t": 0}).ok(204)
    engine.up(host=_joined(name))
    engine.start(container)
    end = _endpoint(engine, container, name)
    assert (end["IPAddress"], end["MacAddress"]) == ("10.250.44.77", "02:00:00:00:44:77")
    shown = engine.exec(container, "ip", "addr", "show", "eth0").out
    assert "inet 10.250.44.77/24" in shown
    assert "02:00:00:00:44:77" in shown
    # The next one may have it at once.
    engine.remove(container)
    other = engine.up(host=_joined(name), **_on(name, **asked))
    assert _endpoint(engine, other, name)["IPAddress"] == "10.250.44.77"


@pytest.mark.naru_only
@pytest.mark.parametrize(
    ("version", "aliases", "has_names", "has_priority"),
    [
        ("1.24", ["web", "SHORT"], False, False),
        ("1.44", ["web", "SHORT"], True, False),
        ("1.45", ["web"], True, False),
        ("1.48", ["web"], True, True),
    ],
)
def test_an_endpoint_is_shown_as_each_version_knows_it(
    engine: Engine, version: str, aliases: list[str], has_names: bool, has_priority: bool
) -> None:
    name = engine.network()
    container = engine.up(host=_joined(name), **_on(name, Aliases=["web"]))
    answer = engine.api("GET", f"/containers/{container}/json", version=version).ok(200)
    endpoint = answer.json()["NetworkSettings"]["Networks"][name]
    assert endpoint["Aliases"] == [text.replace("SHORT", container[:12]) for text in aliases]
    assert ("DNSNames" in endpoint, "GwPriority" in endpoint) == (has_names, has_priority)


@pytest.mark.naru_only
def test_several_networks_at_create_need_a_version_that_knows_them(engine: Engine) -> None:
    one, other = engine.network(), engine.network()
    both = _on(one, other)
    old = engine.ask_to_create(host=_joined(one), version="1.43", **both)
    assert old.status == 400
    assert "Container cannot be created with multiple network endpoints" in old.message
    new = engine.up(host=_joined(one), version="1.44", **both)
    assert set(engine.inspect(new)["NetworkSettings"]["Networks"]) == {one, other}
