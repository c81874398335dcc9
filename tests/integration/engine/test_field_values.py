"""Fields of a create request that no other test looks at, and values that mean nothing."""

from __future__ import annotations

from typing import Any

import pytest

from harness.engine import Engine

_VOLUME = "naru-test-fields"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"HostConfig": {"ExtraHosts": ["nocolon"]}}, 'bad format for add-host: "nocolon"'),
        ({"HostConfig": {"ExtraHosts": ["a:b"]}}, 'invalid IP address in add-host: "b"'),
        (
            {"HostConfig": {"VolumeDriver": "nosuch", "Binds": [f"{_VOLUME}:/x"]}},
            f'create {_VOLUME}: error looking up volume plugin nosuch: plugin "nosuch" not found',
        ),
    ],
)
def test_what_docker_refuses_is_refused_in_its_words(
    engine: Engine, body: dict[str, Any], problem: str
) -> None:
    answer = engine.ask_to_create("true", **body)
    assert answer.status in (400, 404)
    assert answer.json()["message"] == problem


_ELSEWHERE: dict[str, Any] = {"EndpointsConfig": {"bridge": {}}}


@pytest.mark.naru_only
@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"HostConfig": {"Dns": ["nonsense"]}}, "bad nameserver address: nonsense"),
        ({"HostConfig": {"Dns": ["fe80::1%\n"]}}, "bad nameserver address: fe80::1%\n"),
        (
            {"HostConfig": {"DnsSearch": ["a\nnameserver 6.6.6.6"]}},
            r"invalid DNS search domain or option: 'a\nnameserver 6.6.6.6'",
        ),
        (
            {"HostConfig": {"DnsOptions": ["a b"]}},
            "invalid DNS search domain or option: 'a b'",
        ),
        (
            {"HostConfig": {"MaskedPaths": ["proc"]}},
            "invalid path to hide: 'proc' must be absolute",
        ),
        (
            {"HostConfig": {"ReadonlyPaths": [""]}},
            "invalid path to hide: '' must be absolute",
        ),
        (
            {"HostConfig": {"Mounts": [{"Type": "tmpfs", "Target": "/x", "Consistency": "no"}]}},
            "invalid mount consistency: no",
        ),
        ({"ExposedPorts": {"x/tcp": {}}}, 'invalid port specification: "x"'),
        ({"ExposedPorts": {"80/nonsense": {}}}, "invalid proto: nonsense"),
        (
            {"HostConfig": {"NetworkMode": "host"}, "NetworkingConfig": _ELSEWHERE},
            (
                "container sharing network namespace with another container or host cannot be "
                "connected to any other network"
            ),
        ),
        (
            {"HostConfig": {"NetworkMode": "none"}, "NetworkingConfig": _ELSEWHERE},
            (
                "container cannot be connected to multiple networks with one of the networks in "
                "private (none) mode"
            ),
        ),
    ],
)
def test_what_would_be_without_effect_is_refused(
    engine: Engine, body: dict[str, Any], problem: str
) -> None:
    answer = engine.ask_to_create("true", **body)
    assert (answer.status, answer.json()["message"]) == (400, problem)


def test_what_is_of_use_to_images_goes_to_the_image(engine: Engine) -> None:
    container = engine.create("true", OnBuild=["RUN true"], Shell=["/bin/sh", "-ec"])
    config = engine.inspect(container)["Config"]
    assert (config["OnBuild"], config["Shell"]) == (["RUN true"], ["/bin/sh", "-ec"])
    query = {"container": container, "repo": "naru-test/fields", "tag": "1"}
    engine.api("POST", "/commit", query=query).ok(201)
    try:
        image = engine.api("GET", "/images/naru-test/fields:1/json").ok(200).json()["Config"]
        assert image["Shell"] == ["/bin/sh", "-ec"]
    finally:
        engine.api("DELETE", "/images/naru-test/fields:1", query={"force": True}).ok(200)


def test_notes_of_the_client_are_given_back(engine: Engine) -> None:
    container = engine.create(
        "true",
        AttachStdin=True,
        AttachStdout=True,
        AttachStderr=True,
        ArgsEscaped=True,
        host={"ContainerIDFile": "/some/where"},
    )
    view = engine.inspect(container)
    config = view["Config"]
    assert [config[f"Attach{name}"] for name in ("Stdin", "Stdout", "Stderr")] == [True] * 3
    assert config["ArgsEscaped"] is True
    assert view["HostConfig"]["ContainerIDFile"] == "/some/where"


def test_a_mount_says_what_its_new_volume_is_like(engine: Engine) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    mount = {
        "Type": "volume",
        "Source": _VOLUME,
        "Target": "/bin",
        "Consistency": "cached",
        "VolumeOptions": {
            "NoCopy": True,
            "Labels": {"of": "mount"},
            "DriverConfig": {"Name": "local", "Options": options},
        },
    }
    container = engine.create("true", host={"Mounts": [mount]})
    try:
        volume = engine.api("GET", f"/volumes/{_VOLUME}").ok(200).json()
        assert (volume["Labels"], volume["Options"]) == ({"of": "mount"}, options)
        # Nothing was copied over the programs, so there is none.
        assert engine.api("POST", f"/containers/{container}/start").status >= 400
    finally:
        engine.remove(container)
        engine.api("DELETE", f"/volumes/{_VOLUME}").ok(204)


def test_link_local_addresses_are_given_beside_the_others(engine: Engine) -> None:
    ipam = {"LinkLocalIPs": ["169.254.3.4"]}
    container = engine.up(
        NetworkingConfig={"EndpointsConfig": {"bridge": {"IPAMConfig": ipam}}},
        host={"NetworkMode": "bridge"},
    )
    shown = engine.exec(container, "ip", "addr", "show", "eth0").out
    assert "inet 169.254.3.4/16" in shown
    endpoint = engine.inspect(container)["NetworkSettings"]["Networks"]["bridge"]
    assert endpoint["IPAMConfig"]["LinkLocalIPs"] == ipam["LinkLocalIPs"]


@pytest.mark.naru_only
def test_limits_of_old_kernels_are_discarded_with_a_warning(engine: Engine) -> None:
    host = {"KernelMemory": 32 << 20, "KernelMemoryTCP": 32 << 20, "ConsoleSize": [24, 80]}
    for version, count in (("1.39", 1), ("1.41", 2), ("1.42", 1), ("1.50", 1)):
        answer = engine.ask_to_create("true", host=host, version=version).ok(201).json()
        assert len(answer["Warnings"]) == count
        assert all("Limitation discarded" in text for text in answer["Warnings"])


def test_a_bare_word_is_a_command(engine: Engine) -> None:
    container = engine.create(Cmd="true")
    assert engine.inspect(container)["Config"]["Cmd"] == ["true"]


def test_propagation_is_given_back_and_must_be_one(engine: Engine) -> None:
    def mount(propagation: str) -> dict[str, Any]:
        options = {"Propagation": propagation}
        return {"Type": "bind", "Source": "/tmp", "Target": "/x", "BindOptions": options}

    container = engine.create("true", host={"Mounts": [mount("rslave")]})
    assert engine.inspect(container)["Mounts"][0]["Propagation"] == "rslave"
    answer = engine.ask_to_create("true", host={"Mounts": [mount("odd")]})
    assert answer.json()["message"] == (
        'invalid mount config for type "bind": invalid propagation mode: odd'
    )


@pytest.mark.parametrize(
    "request_",
    [
        {"Driver": "other", "Count": 1},
        {"Driver": "other", "DeviceIDs": ["one"], "Capabilities": [["gpu"]]},
        {"Driver": "other", "Capabilities": [["gpu"]], "Options": {"a": "b"}},
    ],
)
def test_devices_that_no_driver_gives_are_refused(engine: Engine, request_: dict[str, Any]) -> None:
    answer = engine.ask_to_create("true", host={"DeviceRequests": [request_]})
    if answer.status == 201:
        answer = engine.api("POST", f"/containers/{answer.json()['Id']}/start")
    assert answer.status >= 400
    words = ("could not select device driver", "options of device requests: a")
    assert answer.json()["message"].startswith(words)


def test_a_network_that_is_disabled_is_none(engine: Engine) -> None:
    container = engine.up(NetworkDisabled=True)
    assert engine.exec(container, "ls", "/sys/class/net").out == "lo\n"
    assert engine.inspect(container)["Config"]["NetworkDisabled"] is True


@pytest.mark.naru_only
def test_an_interface_is_called_as_asked_and_an_unknown_option_is_refused(engine: Engine) -> None:
    def endpoint(**options: str) -> dict[str, Any]:
        return {"EndpointsConfig": {"bridge": {"DriverOpts": options}}}

    known = {"com.docker.network.endpoint.ifname": "wire9", "note": "kept"}
    container = engine.up(NetworkingConfig=endpoint(**known))
    assert engine.exec(container, "ip", "addr", "show", "wire9").code == 0
    shown = engine.inspect(container)["NetworkSettings"]["Networks"]["bridge"]["DriverOpts"]
    assert shown == known
    unknown = endpoint(**{"com.docker.network.endpoint.nosuch": "1"})
    assert engine.ask_to_create("true", NetworkingConfig=unknown).status == 400


def test_an_answer_of_inspect_can_be_sent_back(engine: Engine) -> None:
    first = engine.up()
    view = engine.inspect(first)
    endpoints = view["NetworkSettings"]["Networks"]
    endpoints["bridge"] |= {
        "NetworkID": "0" * 64,
        "EndpointID": "0" * 64,
        "Gateway": "10.9.8.7",
        "IPAddress": "10.9.8.6",
        "IPPrefixLen": 9,
        "IPv6Gateway": "fd99::1",
        "GlobalIPv6Address": "fd99::2",
        "GlobalIPv6PrefixLen": 99,
        "DNSNames": ["wrong"],
    }
    second = engine.up(
        host=view["HostConfig"],
        NetworkingConfig={"EndpointsConfig": endpoints},
        Env=view["Config"]["Env"],
        ExposedPorts={"80": {}},
    )
    now = engine.inspect(second)["NetworkSettings"]["Networks"]["bridge"]
    assert now["IPAddress"] not in ("", view["NetworkSettings"]["IPAddress"])
    for key in ("NetworkID", "EndpointID", "Gateway", "IPAddress", "IPPrefixLen", "IPv6Gateway"):
        assert now[key] != endpoints["bridge"][key], key


@pytest.mark.naru_only
def test_half_a_size_of_a_terminal_is_no_size(engine: Engine) -> None:
    answer = engine.ask_to_create("true", Tty=True, host={"ConsoleSize": [30]}, version="1.48").ok(
        201
    )
    container = answer.json()["Id"]
    engine.start(container)
    assert engine.wait(container) == 0
