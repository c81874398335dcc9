"""Which mounts a request asks for."""

from __future__ import annotations

import pytest

from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig, Mount, TmpfsOptions
from naru.engine.containers.mount_requests import parse_bind, wanted_mounts
from naru.engine.model import MountRecord
from naru.errors import InvalidInputError, NotSupportedError


def test_a_path_is_bound_and_a_name_is_a_volume() -> None:
    bind, volume = parse_bind("/host:/in:ro"), parse_bind("data:/in")
    assert (bind.type, bind.source, bind.read_write) == ("bind", "/host", False)
    assert (volume.type, volume.name, volume.copy_up) == ("volume", "data", True)


def test_nocopy_keeps_a_volume_empty() -> None:
    assert not parse_bind("data:/in:nocopy").copy_up


@pytest.mark.parametrize(
    "text",
    [
        "/a:b",
        "/a:/b:rx",
        "/a:/b:ro,rw",
        "/a:/",
        "a b:/c",
        "/a:/b:ro:x",
        ":/b",
        "/a:/b:nocopy",
        "v:/b:shared",
    ],
)
def test_malformed_binds_are_refused_by_name(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_bind(text)
    assert f"invalid volume specification: '{text}'" in caught.value.message


def test_relative_destination_is_refused_with_dockers_words() -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_bind("/x:relative")
    assert caught.value.message == (
        "invalid volume specification: '/x:relative': invalid mount config for type \"bind\": "
        "invalid mount path: 'relative' mount path must be absolute"
    )


def test_one_destination_is_taken_once() -> None:
    request = HostConfig(binds=["/a:/x", "/b:/x"])
    with pytest.raises(InvalidInputError, match="Duplicate mount point: /x"):
        wanted_mounts(ContainerConfig(), request)


def test_own_mounts_come_before_inherited_before_the_images() -> None:
    inherited = [
        MountRecord(type="volume", destination="/x", name="theirs"),
        MountRecord(type="volume", destination="/y", name="theirs"),
    ]
    found = wanted_mounts(
        ContainerConfig(volumes={"/x": {}, "/y": {}, "/z": {}}),
        HostConfig(binds=["mine:/x"]),
        inherited,
    )
    assert {mount.destination: mount.name for mount in found} == {
        "/x": "mine",
        "/y": "theirs",
        "/z": "",
    }


def test_tmpfs_options_become_words() -> None:
    mount = Mount(
        type="tmpfs", target="/t", tmpfs_options=TmpfsOptions(size_bytes=65536, mode=0o700)
    )
    (found,) = wanted_mounts(ContainerConfig(), HostConfig(mounts=[mount]))
    assert found.options == ["size=65536", "mode=700"]


@pytest.mark.parametrize(
    "mount",
    [
        Mount(type="bind", source="", target="/x"),
        Mount(type="bind", source="relative", target="/x"),
        Mount(type="volume", source="a/b", target="/x"),
        Mount(type="tmpfs", source="/x", target="/x"),
        Mount(type="bind", source="/x", target=""),
        Mount(type="nonsense", target="/x"),
    ],
)
def test_malformed_mounts_are_refused(mount: Mount) -> None:
    with pytest.raises(InvalidInputError):
        wanted_mounts(ContainerConfig(), HostConfig(mounts=[mount]))


def test_a_type_that_is_not_built_is_refused_not_ignored() -> None:
    with pytest.raises(NotSupportedError):
        wanted_mounts(ContainerConfig(), HostConfig(mounts=[Mount(type="image", target="/x")]))
