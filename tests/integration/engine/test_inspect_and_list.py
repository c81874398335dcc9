"""What the engine tells about containers: inspect, the list, its filters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from harness.engine import LABEL, Engine
from harness.waiting import eventually

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z")


def _list(engine: Engine, *, version: str | None = None, **query: Any) -> list[dict[str, Any]]:
    """List, among the containers of the tests only."""
    filters = {"label": [LABEL], **query.pop("filters", {})}
    words = {"filters": filters, **query}
    answer = engine.api("GET", "/containers/json", query=words, version=version).ok(200).json()
    assert isinstance(answer, list)
    return answer


def _ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["Id"] for item in items]


def test_inspect_gives_back_what_was_asked_for(engine: Engine) -> None:
    config: dict[str, Any] = {
        "Hostname": "inside",
        "Domainname": "example.test",
        "User": "1000:1000",
        "Env": ["A=1", "B=two words"],
        "WorkingDir": "/tmp",
        "Entrypoint": ["sleep"],
        "Labels": {"kind": "test"},
        "StopSignal": "SIGINT",
        "StopTimeout": 3,
        "ExposedPorts": {"80/tcp": {}},
    }
    host = {
        "Memory": 64 << 20,
        "NanoCpus": 500_000_000,
        "PidsLimit": 77,
        "CapAdd": ["NET_ADMIN"],
        "CapDrop": ["MKNOD"],
        "ReadonlyRootfs": True,
        "Dns": ["192.0.2.1"],
        "ExtraHosts": ["other:192.0.2.2"],
        "Tmpfs": {"/run": "size=1m"},
        "ShmSize": 32 << 20,
        "Ulimits": [{"Name": "nofile", "Soft": 99, "Hard": 100}],
    }
    container = engine.create("1000", host=host, **config)
    found = engine.inspect(container)
    for key, value in config.items():
        if key == "Labels":
            assert found["Config"][key]["kind"] == "test"
        else:
            assert found["Config"][key] == value, key
    for key, value in host.items():
        assert found["HostConfig"][key] == value, key
    assert found["Path"] == "sleep"
    assert found["Args"] == ["1000"]


def test_inspect_has_the_parts_that_clients_read(engine: Engine) -> None:
    container = engine.up()
    found = engine.inspect(container)
    assert found["Id"] == container
    assert _TIME.fullmatch(found["Created"])
    assert _TIME.fullmatch(found["State"]["StartedAt"])
    assert found["Image"].startswith("sha256:")
    assert found["Image"] == engine.api("GET", "/images/busybox/json").json()["Id"]
    assert found["Config"]["Image"] == "busybox:latest"
    assert found["Config"]["Hostname"] == container[:12]
    assert found["Driver"]
    assert found["Platform"] == "linux"
    assert found["RestartCount"] == 0
    assert found["Mounts"] == []
    assert found["ResolvConfPath"]
    assert found["HostConfig"]["LogConfig"]["Type"] == "json-file"
    assert found["HostConfig"]["RestartPolicy"]["Name"] in ("", "no")
    network = found["NetworkSettings"]
    assert network["IPAddress"] == network["Networks"]["bridge"]["IPAddress"]
    assert network["Networks"]["bridge"]["Gateway"]
    assert network["SandboxKey"]


def test_inspect_of_a_stopped_container_has_no_address(engine: Engine) -> None:
    done = engine.sh("true")
    network = engine.inspect(done.id)["NetworkSettings"]
    assert network["IPAddress"] == ""
    assert network["Networks"]["bridge"]["IPAddress"] == ""
    assert network["Ports"] in ({}, None)


def test_size_is_told_when_asked(engine: Engine) -> None:
    done = engine.sh("head -c 100000 /dev/zero > /big")
    path = f"/containers/{done.id}/json"
    plain = engine.api("GET", path).ok(200).json()
    sized = engine.api("GET", path, query={"size": True}).ok(200).json()
    assert plain.get("SizeRw") is None
    assert 100_000 <= sized["SizeRw"] <= 120_000
    assert sized["SizeRootFs"] > sized["SizeRw"]


def test_the_list_has_running_ones_unless_all_are_wanted(engine: Engine) -> None:
    stopped = engine.sh("true").id
    created = engine.create("true")
    running = engine.up()
    assert _ids(_list(engine)) == [running]
    assert _ids(_list(engine, all=True)) == [running, created, stopped]


def test_a_list_item_has_the_parts_that_clients_print(engine: Engine) -> None:
    container = engine.up(
        "sleep",
        "1000",
        name="naru-test-item",
        ExposedPorts={"80/tcp": {}, "90/udp": {}},
        host={"PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": ""}]}},
    )
    [item] = _list(engine)
    assert item["Id"] == container
    assert item["Names"] == ["/naru-test-item"]
    assert item["Image"] == "busybox:latest"
    assert item["ImageID"].startswith("sha256:")
    assert item["Command"] == "sleep 1000"
    assert isinstance(item["Created"], int)
    assert item["State"] == "running"
    assert re.fullmatch(r"Up (Less than a|\d+) seconds?", item["Status"])
    assert item["HostConfig"]["NetworkMode"] in ("default", "bridge")
    assert item["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    ports = {(port["PrivatePort"], port["Type"]): port for port in item["Ports"]}
    assert ports[80, "tcp"]["IP"] == "127.0.0.1"
    assert ports[80, "tcp"]["PublicPort"] > 0
    assert ports[90, "udp"] == {"PrivatePort": 90, "Type": "udp"}


@pytest.mark.parametrize(
    ("end", "status"),
    [("created", "Created"), ("exited", r"Exited \(3\) .* ago"), ("paused", r"Up .* \(Paused\)")],
)
def test_status_is_told_in_dockers_words(engine: Engine, end: str, status: str) -> None:
    if end == "created":
        engine.create("true")
    elif end == "exited":
        engine.sh("exit 3")
    else:
        container = engine.up()
        engine.api("POST", f"/containers/{container}/pause").ok(204)
    [item] = _list(engine, all=True)
    assert item["State"] == end
    assert re.fullmatch(status, item["Status"])


def test_limit_gives_the_newest_whatever_their_state(engine: Engine) -> None:
    engine.create("true")
    second = engine.create("true")
    third = engine.sh("true").id
    assert _ids(_list(engine, limit=2)) == [third, second]


def test_filters_choose(engine: Engine) -> None:
    running = engine.up(name="naru-test-alpha", Labels={"colour": "red"})
    failed = engine.sh("exit 3", name="naru-test-beta", Labels={"colour": "blue"}).id
    created = engine.create("true", name="naru-test-gamma", Volumes={"/data": {}})
    image = engine.inspect(running)["Image"]
    expected: list[tuple[dict[str, list[str]], list[str]]] = [
        ({"status": ["exited"]}, [failed]),
        ({"status": ["exited", "running"]}, [failed, running]),
        ({"exited": ["3"]}, [failed]),
        ({"name": ["naru-test-al"]}, [running]),
        ({"name": ["^/naru-test-(beta|gamma)$"]}, [created, failed]),
        ({"id": [failed[:10]]}, [failed]),
        ({"label": [LABEL, "colour"]}, [failed, running]),
        ({"label": [LABEL, "colour=red"]}, [running]),
        ({"before": ["naru-test-gamma"]}, [failed, running]),
        ({"since": ["naru-test-alpha"]}, [created, failed]),
        ({"ancestor": ["busybox"]}, [created, failed, running]),
        ({"ancestor": [image]}, [created, failed, running]),
        ({"network": ["bridge"]}, [created, failed, running]),
        ({"volume": ["/data"]}, [created]),
        ({"volume": [""]}, []),
        ({"volume": ["/data", "nothing"]}, [created]),
        ({"is-task": ["false"]}, [created, failed, running]),
        ({"is-task": ["true"]}, []),
        ({"isolation": ["hyperv"]}, [created, failed, running]),
        ({"network": ["brid"]}, []),
        ({"network": ["bridge", "nothing"]}, [created, failed, running]),
        ({"health": ["none"]}, [created, failed, running]),
        ({"exited": ["0"]}, []),
        ({"id": [""]}, []),
        ({"id": [failed[:10], running]}, [failed, running]),
        ({"ancestor": ["naru-test/nothing"]}, []),
        ({"before": ["naru-test-gamma"], "since": ["naru-test-alpha"]}, [failed]),
    ]
    for filters, ids in expected:
        assert _ids(_list(engine, all=True, filters=filters)) == ids, filters


def test_filters_may_come_in_the_old_form(engine: Engine) -> None:
    container = engine.up(name="naru-test-old")
    filters = '{"name": {"naru-test-old": true}}'
    answer = engine.api("GET", "/containers/json", query={"filters": filters}).ok(200).json()
    assert _ids(answer) == [container]


def test_a_filter_on_exit_codes_needs_all(engine: Engine) -> None:
    failed = engine.sh("exit 3").id
    assert _list(engine, filters={"exited": ["3"]}) == []
    assert _ids(_list(engine, all=True, filters={"exited": ["3"]})) == [failed]


def test_an_ancestor_is_what_an_image_was_made_from(engine: Engine) -> None:
    base = engine.up(name="naru-test-base")
    query = {"container": base, "repo": "naru-test/child", "changes": "ENV A=1"}
    engine.api("POST", "/commit", query=query).ok(201)
    child = engine.create("true", image="naru-test/child")
    # The same layers do not make a child: what is built on the image is meant.
    assert _ids(_list(engine, all=True, filters={"ancestor": ["naru-test/child"]})) == [child]
    both = {"ancestor": ["busybox"]}
    assert _ids(_list(engine, all=True, filters=both)) == [child, base]
    engine.remove(child)
    engine.api("DELETE", "/images/naru-test/child").ok(200)


def test_names_by_links_are_shown_and_not_looked_for(engine: Engine) -> None:
    target = engine.up(name="naru-test-target")
    engine.create("true", name="naru-test-user", host={"Links": ["naru-test-target:other"]})
    assert _list(engine, filters={"name": ["other"]}) == []
    [found] = _list(engine, filters={"name": ["naru-test-target"]})
    assert found["Id"] == target
    assert found["Names"] == ["/naru-test-target", "/naru-test-user/other"]


def test_filters_may_choose_by_port(engine: Engine) -> None:
    container = engine.up(ExposedPorts={"8123/tcp": {}})
    stopped = engine.create("true", ExposedPorts={"8123/tcp": {}})
    assert stopped not in _ids(_list(engine, all=True, filters={"expose": ["8123"]}))
    assert _ids(_list(engine, filters={"expose": ["8123"]})) == [container]
    assert _ids(_list(engine, filters={"expose": ["8000-8200/tcp"]})) == [container]
    assert _list(engine, filters={"publish": ["8123"]}) == []


@pytest.mark.parametrize(
    ("filters", "status"),
    [
        ('{"nope": ["x"]}', 400),
        ("{", 400),
        ('{"status": ["dancing"]}', 400),
        ("[]", 400),
        ('{"is-task": ["x"]}', 400),
        ('{"exited": ["x"]}', 400),
        ('{"publish": ["80:80"]}', 400),
        ('{"expose": ["5-3"]}', 400),
        ('{"before": ["naru-test-nobody"]}', 404),
    ],
)
def test_filters_that_make_no_sense_are_refused(engine: Engine, filters: str, status: int) -> None:
    answer = engine.api("GET", "/containers/json", query={"filters": filters})
    assert answer.status in (status, 500)
    if engine.is_naru:
        assert answer.status == status
    assert answer.message


@pytest.mark.naru_only
def test_old_and_new_clients_get_their_own_shape(engine: Engine) -> None:
    engine.up(ExposedPorts={"80/tcp": {}})
    for version in ("1.24", "1.30", "1.40", "1.44", "1.50"):
        [item] = _list(engine, version=version)
        assert item["State"] == "running"
        assert engine.api("GET", f"/containers/{item['Id']}/json", version=version).status == 200
        image = engine.api("GET", "/images/busybox/json", version=version).ok(200).json()
        assert ("ContainerConfig" in image) == (version != "1.50")


def test_inspect_says_where_the_layers_are(engine: Engine) -> None:
    container = engine.up("sh", "-c", "echo x >/written; sleep 1000")
    driver = engine.inspect(container)["GraphDriver"]
    assert driver["Name"] == "overlay2"
    data = driver["Data"]
    assert sorted(data) == ["LowerDir", "MergedDir", "UpperDir", "WorkDir"]
    eventually((Path(data["UpperDir"]) / "written").exists, "the file is written")
    assert (Path(data["MergedDir"]) / "written").read_text() == "x\n"
    lower = [Path(path) for path in data["LowerDir"].split(":")]
    assert all(path.is_absolute() and path.is_dir() for path in lower)
    assert any((path / "bin/busybox").is_file() for path in lower)


def test_list_leaves_out_sizes_that_are_zero(engine: Engine) -> None:
    engine.create("true")
    [view] = _list(engine, all=True, size=True)
    assert "SizeRw" not in view
    assert view["SizeRootFs"] > 0
