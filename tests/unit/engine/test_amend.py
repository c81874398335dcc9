"""What a request becomes when parts of it change."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from naru.api.container_config import ContainerConfig, EndpointSettings
from naru.api.create_request import CreateRequest
from naru.api.host_config import HostConfig, LogConfig, Mount, PortBinding, Ulimit
from naru.api.recreate_request import read_changes
from naru.engine.containers.amend import amended, kept_mounts, mentioned
from naru.engine.model import ContainerRecord, MountRecord
from naru.errors import InvalidInputError

_IMAGE = ContainerConfig(env=["FROM=image"], labels={"of": "image"})


def _record(host: HostConfig | None = None, **config: Any) -> ContainerRecord:
    return ContainerRecord(
        created_ns=1,
        image_id="sha256:1",
        image_name="web",
        config=ContainerConfig(image="web", **config),
        host_config=host or HostConfig(),
        endpoints={"front": EndpointSettings(), "back": EndpointSettings()},
        mounts=[],
    )


def _amend(record: ContainerRecord, **changes: Any) -> CreateRequest:
    return amended(record, record.config, _IMAGE, read_changes(msgspec.json.encode(changes)))


def test_nothing_named_is_nothing_changed() -> None:
    record = _record(HostConfig(binds=["/a:/b"], memory=1), env=["A=1"], tty=True, cmd=["x"])
    request = _amend(record)
    assert request.host_config.binds == ["/a:/b"]
    assert (request.env, request.tty, request.cmd) == (["A=1"], True, ["x"])
    assert list(request.networking_config.endpoints_config or {}) == ["front", "back"]


def test_what_has_a_name_is_merged_by_it() -> None:
    host = HostConfig(
        sysctls={"a": "1", "b": "1"},
        ulimits=[Ulimit(name="nofile", soft=1, hard=1), Ulimit(name="core", soft=1, hard=1)],
        port_bindings={"80/tcp": [PortBinding(host_port="1")]},
        dns=["1.1.1.1"],
    )
    request = _amend(
        _record(host, env=["A=1", "B=1"], labels={"a": "1"}),
        Env=["B=2"],
        Labels={"b": "2"},
        HostConfig={
            "Sysctls": {"b": "2"},
            "Ulimits": [{"Name": "core", "Soft": 2, "Hard": 2}],
            "PortBindings": {"81/tcp": [{"HostPort": "2"}]},
            "Dns": ["2.2.2.2"],
        },
    )
    after = request.host_config
    assert (request.env, request.labels) == (["A=1", "B=2"], {"a": "1", "b": "2"})
    assert after.sysctls == {"a": "1", "b": "2"}
    assert [(limit.name, limit.soft) for limit in after.ulimits or ()] == [
        ("nofile", 1),
        ("core", 2),
    ]
    assert list(after.port_bindings or ()) == ["80/tcp", "81/tcp"]
    assert after.dns == ["2.2.2.2"], "a list without names is replaced"


def test_a_mount_takes_the_place_of_any_other_kind_of_mount() -> None:
    host = HostConfig(
        binds=["/a:/data", "/a:/other"],
        mounts=[Mount(type="volume", source="v", target="/vol/")],
        tmpfs={"/tmp/": ""},
    )
    request = _amend(
        _record(host, volumes={"/anonymous": {}}),
        HostConfig={
            "Mounts": [{"Type": "tmpfs", "Target": "/data"}],
            "Binds": ["/b:/vol", "/b:/anonymous", "/b:/tmp"],
        },
    )
    after = request.host_config
    assert after.binds == ["/a:/other", "/b:/vol", "/b:/anonymous", "/b:/tmp"]
    assert [mount.target for mount in after.mounts or ()] == ["/data"]
    assert not after.tmpfs
    assert not request.volumes


def test_swap_that_was_worked_out_is_worked_out_again() -> None:
    derived = HostConfig(memory=100, memory_swap=200)
    chosen = HostConfig(memory=100, memory_swap=150)
    for host, swap in ((derived, 0), (chosen, 150)):
        request = _amend(_record(host), HostConfig={"Memory": 120})
        assert (request.host_config.memory, request.host_config.memory_swap) == (120, swap)


def test_options_of_the_same_log_driver_are_merged() -> None:
    host = HostConfig(log_config=LogConfig(type="json-file", config={"a": "1", "b": "1"}))
    same = _amend(_record(host), HostConfig={"LogConfig": {"Config": {"b": "2"}}})
    assert same.host_config.log_config == LogConfig(type="json-file", config={"a": "1", "b": "2"})
    other = _amend(_record(host), HostConfig={"LogConfig": {"Type": "none"}})
    assert other.host_config.log_config == LogConfig(type="none")


def test_another_network_mode_names_all_networks_anew() -> None:
    one_more = _amend(_record(), NetworkingConfig={"EndpointsConfig": {"third": {}}})
    assert list(one_more.networking_config.endpoints_config or {}) == ["front", "back", "third"]
    anew = _amend(_record(), HostConfig={"NetworkMode": "third"})
    assert not anew.networking_config.endpoints_config


def test_what_the_image_brings_can_go_as_far_as_docker_lets_it() -> None:
    assert _amend(_record(), Remove={"Env": ["FROM"]}).env == ["FROM"]
    assert _amend(_record(env=["FROM=own"]), Remove={"Env": ["FROM"]}).env == ["FROM"]
    with pytest.raises(InvalidInputError, match="label of is the image's"):
        _amend(_record(), Remove={"Labels": ["of"]})


def test_volumes_stay_the_very_ones_that_they_were() -> None:
    before = [
        MountRecord(type="volume", destination="/a", name="1234", source="/v/1234", anonymous=True),
        MountRecord(type="image", destination="/i", name="img", source="id/0", read_write=False),
        MountRecord(type="bind", destination="/b", source="/host"),
    ]
    wanted = [
        MountRecord(type="volume", destination="/a"),
        MountRecord(type="image", destination="/i", name="img", read_write=False),
        MountRecord(type="volume", destination="/b"),
    ]
    kept_mounts(wanted, before, frozenset())
    assert (wanted[0].name, wanted[0].source, wanted[0].anonymous) == ("1234", "/v/1234", True)
    assert wanted[1].source == "id/0"
    assert wanted[2].name == ""
    again = [MountRecord(type="image", destination="/i", name="img", read_write=False)]
    kept_mounts(again, before, frozenset({"/i"}))
    assert again[0].source == "", "an image that is named anew is looked up anew"


def test_all_kinds_of_mounts_are_mentioned() -> None:
    changes = read_changes(
        b'{"Volumes": {"/v/": {}}, "Remove": {"Mounts": ["/r/"]}, "HostConfig": {"Binds": ["/x:/b"],'
        b' "Mounts": [{"Target": "/m/"}], "Tmpfs": {"/t/": ""}}}'
    )
    assert mentioned(changes) == {"/v", "/r", "/b", "/m", "/t"}
