"""What create means in each version."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from naru.api.container_config import EndpointSettings
from naru.api.create_request import CreateRequest, adapt
from naru.api.version import MAXIMUM, ApiVersion
from naru.errors import InvalidInputError


def request(
    *, host: dict[str, Any] | None = None, endpoints: dict[str, Any] | None = None, **config: Any
) -> CreateRequest:
    body = {
        "HostConfig": host or {},
        "NetworkingConfig": {"EndpointsConfig": endpoints or {}},
        **config,
    }
    return msgspec.convert(body, CreateRequest)


def adapted(version: ApiVersion, **parts: Any) -> CreateRequest:
    found = request(**parts)
    adapt(found, version)
    return found


def test_an_empty_config_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"^config cannot be empty in order to create"):
        request(host={"Privileged": True}).config()


def test_the_config_stands_alone() -> None:
    config = request(Image="i", host={"Memory": 1}).config()
    assert config.image == "i"
    assert not hasattr(config, "host_config")


@pytest.mark.parametrize(
    ("field", "value", "since"),
    [
        ("AutoRemove", True, (1, 25)),
        ("ConsoleSize", [1, 2], (1, 42)),
        ("Annotations", {"a": "b"}, (1, 43)),
    ],
)
def test_fields_have_no_effect_before_their_version(
    field: str, value: object, since: ApiVersion
) -> None:
    def shown(version: ApiVersion) -> object:
        return msgspec.to_builtins(adapted(version, host={field: value}).host_config)[field]

    assert shown(since) == value
    assert not shown((since[0], since[1] - 1))


def test_start_interval_is_new_in_1_44() -> None:
    check = {"Test": ["CMD", "true"], "StartInterval": 5}
    for version, expected in (((1, 43), 0), ((1, 44), 5)):
        found = adapted(version, Healthcheck=check).healthcheck
        assert found is not None
        assert found.start_interval == expected


def test_old_clients_share_their_ipc_namespace_unless_they_say_otherwise() -> None:
    assert adapted((1, 39)).host_config.ipc_mode == "shareable"
    assert adapted((1, 39), host={"IpcMode": "none"}).host_config.ipc_mode == "none"
    assert adapted((1, 40)).host_config.ipc_mode == ""


def test_options_of_another_mount_type_are_dropped_for_old_clients_and_refused_for_new() -> None:
    mounts = [{"Type": "bind", "Target": "/a", "TmpfsOptions": {}}]
    mounts_of_old = adapted((1, 41), host={"Mounts": mounts}).host_config.mounts
    assert mounts_of_old is not None
    assert [mount.tmpfs_options for mount in mounts_of_old] == [None]
    with pytest.raises(
        InvalidInputError, match=r'^TmpfsOptions must not be specified on mount type "bind"$'
    ):
        adapted((1, 42), host={"Mounts": mounts})


def test_read_only_binds_were_not_recursive_before_1_44() -> None:
    mount = {"Type": "bind", "ReadOnly": True}
    [old] = adapted((1, 43), host={"Mounts": [mount]}).host_config.mounts or []
    [new] = adapted((1, 44), host={"Mounts": [mount]}).host_config.mounts or []
    assert old.bind_options is not None
    assert old.bind_options.read_only_non_recursive
    assert new.bind_options is None


@pytest.mark.parametrize(
    ("mount", "since", "message"),
    [
        (
            {"Type": "bind", "BindOptions": {"ReadOnlyForceRecursive": True}},
            (1, 44),
            "BindOptions.ReadOnlyForceRecursive needs API v1.44 or newer",
        ),
        (
            {"Type": "volume", "VolumeOptions": {"Subpath": "a"}},
            (1, 45),
            "VolumeOptions.Subpath needs API v1.45 or newer",
        ),
        ({"Type": "image"}, (1, 48), 'Mount type "image" needs API v1.48 or newer'),
    ],
)
def test_what_would_be_wrong_without_is_refused(
    mount: dict[str, Any], since: ApiVersion, message: str
) -> None:
    adapted(since, host={"Mounts": [mount]})
    with pytest.raises(InvalidInputError) as caught:
        adapted((since[0], since[1] - 1), host={"Mounts": [mount]})
    assert caught.value.message == message


@pytest.mark.parametrize("limit", [0, -1, -5])
def test_no_pids_limit_is_none(limit: int) -> None:
    assert adapted(MAXIMUM, host={"PidsLimit": limit}).host_config.pids_limit is None


@pytest.mark.parametrize("mode", ["", "default", "bridge"])
def test_the_default_network_has_one_name(mode: str) -> None:
    found = adapted(MAXIMUM, host={"NetworkMode": mode}, endpoints={"default": {"Aliases": ["a"]}})
    assert found.host_config.network_mode == "bridge"
    assert found.networking_config.endpoints_config == {"bridge": EndpointSettings(aliases=["a"])}


def test_several_networks_came_with_1_44() -> None:
    adapted((1, 44), endpoints={"a": {}, "b": {}})
    with pytest.raises(InvalidInputError, match=r"multiple network endpoints: a, b$"):
        adapted((1, 43), endpoints={"b": {}, "a": {}})


class TestMacAddress:
    MAC = "02:42:00:00:00:01"

    def test_goes_to_the_main_endpoint(self) -> None:
        for version in ((1, 43), (1, 44)):
            found = adapted(version, MacAddress=self.MAC)
            endpoints = found.networking_config.endpoints_config
            assert endpoints == {"bridge": EndpointSettings(mac_address=self.MAC)}

    def test_new_clients_are_told_to_move(self) -> None:
        assert adapt(request(MacAddress=self.MAC), (1, 43)) == []
        [warning] = adapt(request(MacAddress=self.MAC), (1, 44))
        assert "deprecated" in warning

    def test_must_not_contradict_the_endpoint(self) -> None:
        endpoints = {"bridge": {"MacAddress": "02:42:00:00:00:02"}}
        with pytest.raises(InvalidInputError, match="must match the endpoint-specific"):
            adapted(MAXIMUM, MacAddress=self.MAC, endpoints=endpoints)

    def test_old_clients_have_none_per_endpoint(self) -> None:
        found = adapted((1, 43), endpoints={"bridge": {"MacAddress": self.MAC}})
        assert found.networking_config.endpoints_config == {"bridge": EndpointSettings()}

    @pytest.mark.parametrize("mode", ["host", "none", "container:x"])
    def test_makes_no_endpoint_where_there_is_none(self, mode: str) -> None:
        found = adapted(MAXIMUM, MacAddress=self.MAC, host={"NetworkMode": mode})
        assert found.networking_config.endpoints_config == {}
        with pytest.raises(InvalidInputError, match=r"^conflicting options: mac-address and the"):
            adapted((1, 43), MacAddress=self.MAC, host={"NetworkMode": mode})

    def test_must_be_meant_for_one_of_the_networks(self) -> None:
        parts: Any = {"MacAddress": self.MAC, "endpoints": {"other": {}}}
        with pytest.raises(InvalidInputError, match="must match the identity of a network"):
            adapted(MAXIMUM, **parts)
        old = adapted((1, 43), **parts).networking_config.endpoints_config
        assert old == {"other": EndpointSettings(mac_address=self.MAC)}


def test_options_of_windows_are_told_to_be_without_effect() -> None:
    found = request(host={"CpuCount": 2, "IOMaximumIOps": 5, "IOMaximumBandwidth": 0})
    assert [warning.split()[0] for warning in adapt(found, MAXIMUM)] == [
        "CpuCount",
        "IOMaximumIOps",
    ]
