"""What a record says after ports were added and taken away."""

from __future__ import annotations

import pytest

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig, PortBinding, PortMap
from naru.engine.containers.republish import changed_ports
from naru.engine.model import ContainerRecord
from naru.errors import InvalidInputError
from naru.network.model import PublishedPort


def _record(bindings: PortMap, *, publish_all: bool = False) -> ContainerRecord:
    return ContainerRecord(
        created_ns=0,
        image_id="",
        image_name="",
        config=ContainerConfig(exposed_ports={port: {} for port in bindings}),
        host_config=HostConfig(port_bindings=bindings, publish_all_ports=publish_all),
        endpoints={},
        mounts=[],
    )


def _on(*ports: str, ip: str = "") -> list[PortBinding]:
    return [PortBinding(host_ip=ip, host_port=port) for port in ports]


def _bindings(record: ContainerRecord) -> PortMap | None:
    return record.host_config.port_bindings


def test_a_port_is_added_and_exposed() -> None:
    found = changed_ports(_record({"80/tcp": [*_on("8080")]}), (), {"53/UDP": [*_on("53")]}, ())
    assert _bindings(found) == {"80/tcp": _on("8080"), "53/udp": _on("53")}
    assert found.config.exposed_ports == {"80/tcp": {}, "53/udp": {}}


def test_one_that_is_there_already_is_not_there_twice() -> None:
    record = _record({"80/tcp": [*_on("8080")]})
    assert changed_ports(record, (), {"80": [*_on("8080", "8081")]}, ()).host_config == (
        HostConfig(port_bindings={"80/tcp": _on("8080", "8081")})
    )


def test_a_port_of_the_host_is_taken_away_wherever_it_leads() -> None:
    record = _record({"80/tcp": [*_on("8080", "8081")], "90/tcp": [*_on("8082")]})
    found = changed_ports(record, (), {}, ["8081-8082"])
    assert _bindings(found) == {"80/tcp": _on("8080")}


def test_a_number_may_go_to_another_port_at_once() -> None:
    record = _record({"80/tcp": [*_on("8080")]})
    found = changed_ports(record, (), {"90/tcp": [*_on("8080")]}, ["8080"])
    assert _bindings(found) == {"90/tcp": _on("8080")}


def test_a_port_that_was_drawn_is_known_by_its_number_while_it_runs() -> None:
    record = _record({"80/tcp": [*_on(""), *_on("9000-9010", ip="127.0.0.1")]})
    published = [
        PublishedPort(80, "tcp", "0.0.0.0", 32768),
        PublishedPort(80, "tcp", "127.0.0.1", 9003),
    ]
    assert _bindings(changed_ports(record, published, {}, ["9003"])) == {"80/tcp": _on("")}
    assert _bindings(changed_ports(record, published, {}, ["32768", "127.0.0.1:9003"])) == {}
    with pytest.raises(InvalidInputError, match=r"does not publish port 9003/tcp of the host"):
        changed_ports(record, (), {}, ["9003"])


@pytest.mark.parametrize("text", ["8081", "8080/udp", "127.0.0.1:8080"])
def test_what_is_not_there_cannot_go(text: str) -> None:
    with pytest.raises(InvalidInputError, match="does not publish port"):
        changed_ports(_record({"80/tcp": [*_on("8080")]}), (), {}, [text])


def test_a_port_named_by_the_containers_side_is_told_where_it_is() -> None:
    record = _record({"80/tcp": [*_on("8080", "8081"), *_on("")]})
    with pytest.raises(InvalidInputError, match="does not publish port 80/tcp of the host") as told:
        changed_ports(record, (), {}, ["80"])
    assert told.value.hint == "port 80/tcp of the container is published on 8080, 8081 of the host"
    for other in ("81", "80/udp", "127.0.0.1:80"):
        with pytest.raises(InvalidInputError) as untold:
            changed_ports(record, (), {}, [other])
        assert untold.value.hint == ""


def test_one_of_all_exposed_ports_cannot_go_alone() -> None:
    record = _record({}, publish_all=True)
    published = [PublishedPort(80, "tcp", "0.0.0.0", 32768)]
    with pytest.raises(InvalidInputError, match="publishes all its exposed ports"):
        changed_ports(record, published, {}, ["32768"])
