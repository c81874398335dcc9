"""The image's defaults in a container's config."""

from __future__ import annotations

import pytest

from naru.api.container_config import ContainerConfig, HealthConfig
from naru.engine.containers.merge import merge_config
from naru.errors import InvalidInputError

IMAGE = ContainerConfig(
    user="app",
    env=["PATH=/bin", "A=image"],
    cmd=["serve"],
    entrypoint=["/entry"],
    working_dir="/srv",
    labels={"a": "image", "b": "image"},
    exposed_ports={"80/tcp": {}},
    volumes={"/data": {}},
    stop_signal="SIGINT",
    healthcheck=HealthConfig(test=["CMD", "true"], interval=5),
)


def test_everything_left_open_comes_from_the_image() -> None:
    merged = merge_config(ContainerConfig(image="x"), IMAGE)
    assert merged.argv() == ["/entry", "serve"]
    assert merged.user == "app"
    assert merged.working_dir == "/srv"
    assert merged.stop_signal == "SIGINT"
    assert merged.volumes == {"/data": {}}


def test_own_values_win_one_by_one() -> None:
    own = ContainerConfig(env=["A=own"], labels={"a": "own"}, exposed_ports={"81/udp": {}})
    merged = merge_config(own, IMAGE)
    assert merged.env == ["A=own", "PATH=/bin"]
    assert merged.labels == {"a": "own", "b": "image"}
    assert merged.exposed_ports == {"80/tcp": {}, "81/udp": {}}


def test_a_command_replaces_only_the_command() -> None:
    assert merge_config(ContainerConfig(cmd=["x"]), IMAGE).argv() == ["/entry", "x"]


def test_an_entrypoint_drops_the_images_command() -> None:
    assert merge_config(ContainerConfig(entrypoint=["e"]), IMAGE).argv() == ["e"]


def test_an_empty_entrypoint_removes_the_images_one() -> None:
    merged = merge_config(ContainerConfig(entrypoint=[""], cmd=["x"]), IMAGE)
    assert merged.argv() == ["x"]


def test_health_check_fields_are_inherited_one_by_one() -> None:
    own = ContainerConfig(healthcheck=HealthConfig(retries=2))
    check = merge_config(own, IMAGE).healthcheck
    assert check is not None
    assert (check.test, check.interval, check.retries) == (["CMD", "true"], 5, 2)


def test_the_request_itself_is_not_changed() -> None:
    request = ContainerConfig()
    merge_config(request, IMAGE)
    assert request == ContainerConfig()


def test_no_command_at_all_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no command specified"):
        merge_config(ContainerConfig(), ContainerConfig())
