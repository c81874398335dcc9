"""Which mounts a request asks for."""

from __future__ import annotations

import pytest

from naru.api.container_config import ContainerConfig
from naru.api.host_config import (
    BindOptions,
    HostConfig,
    ImageOptions,
    Mount,
    TmpfsOptions,
    VolumeOptions,
)
from naru.engine.containers.mount_requests import USER_OWNS, parse_bind, wanted_mounts
from naru.engine.model import MountRecord
from naru.errors import InvalidInputError


def test_a_path_is_bound_and_a_name_is_a_volume() -> None:
    bind, volume = parse_bind("/host:/in:ro"), parse_bind("data:/in")
    assert (bind.type, bind.source, bind.read_write) == ("bind", "/host", False)
    assert (volume.type, volume.name, volume.copy_up) == ("volume", "data", True)


def test_nocopy_keeps_a_volume_empty() -> None:
    assert not parse_bind("data:/in:nocopy").copy_up


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("/a:b", "invalid volume specification: '/a:b'"),
        ("/a:/b:rx", "invalid mode: rx"),
        ("/a:/b:O", "invalid mode: O"),
        ("/a:/b:ro,rw", "invalid mode: ro,rw"),
        ("/a:/b:rslave,shared", "invalid mode: rslave,shared"),
        ("/a:/", "destination can't be '/'"),
        ("/a:ro", "invalid volume specification: '/a:ro'"),
        ("/a:/b:ro:x", "invalid volume specification: '/a:/b:ro:x'"),
        (":/b", "invalid volume specification: ':/b'"),
        (
            "/a:/b:nocopy",
            'type "bind": field VolumeOptions must not be specified',
        ),
        (
            "vol:/b:shared",
            'type "volume": field BindOptions must not be specified',
        ),
    ],
)
def test_malformed_binds_are_refused_in_dockers_words(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_bind(text)
    assert words in caught.value.message


@pytest.mark.parametrize("mode", ["z", "Z", "ro,z", "rw,cached", "delegated", "Z,rslave,ro"])
def test_labels_and_consistency_are_words_of_every_engine(mode: str) -> None:
    bind = parse_bind(f"/a:/b:{mode}")
    assert (bind.mode, bind.read_write) == (mode, "ro" not in mode.split(","))


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
        Mount(type="bind", source="/x", target="/x", volume_options=VolumeOptions()),
        Mount(type="volume", source="ab", target="/x", bind_options=BindOptions()),
        Mount(type="volume", target="/x", volume_options=VolumeOptions(subpath="a/../../b")),
        Mount(type="tmpfs", target="/x", tmpfs_options=TmpfsOptions(options=[["bogus"]])),
        Mount(type="image", target="/x"),
        Mount(type="image", source="a", target="/x", image_options=ImageOptions(subpath="/b")),
        Mount(type="image", source="a", target="/x", tmpfs_options=TmpfsOptions()),
        Mount(type="npipe", source="a", target="/x"),
        Mount(type="cluster", source="a", target="/x"),
        Mount(type="tmpfs", source="/x", target="/x"),
        Mount(type="bind", source="/x", target=""),
        Mount(type="nonsense", target="/x"),
    ],
)
def test_malformed_mounts_are_refused(mount: Mount) -> None:
    with pytest.raises(InvalidInputError):
        wanted_mounts(ContainerConfig(), HostConfig(mounts=[mount]))


def test_read_only_means_all_of_a_tree_or_its_top() -> None:
    def options(bind: BindOptions) -> list[str]:
        mount = Mount(type="bind", source="/s", target="/x", read_only=True, bind_options=bind)
        (found,) = wanted_mounts(ContainerConfig(), HostConfig(mounts=[mount]))
        return found.options

    assert options(BindOptions()) == ["required"]
    assert options(BindOptions(read_only_non_recursive=True)) == ["ro-top", "required"]
    assert options(BindOptions(read_only_force_recursive=True)) == ["ro-all", "required"]
    assert options(BindOptions(non_recursive=True)) == ["bind", "required"]
    assert options(BindOptions(create_mountpoint=True)) == ["create"]
    with pytest.raises(InvalidInputError, match="mount options conflict"):
        options(BindOptions(read_only_force_recursive=True, read_only_non_recursive=True))


def test_an_image_is_mounted_read_only() -> None:
    mount = Mount(type="image", source="app", target="/x", image_options=ImageOptions(subpath="a"))
    (found,) = wanted_mounts(ContainerConfig(), HostConfig(mounts=[mount]))
    assert (found.type, found.name, found.subpath, found.read_write) == ("image", "app", "a", False)


def test_owned_mounts_are_known_by_their_option() -> None:
    for text in ("/a:/b:ro,U", "data:/b:U,nocopy"):
        assert USER_OWNS in parse_bind(text).options
        assert USER_OWNS not in parse_bind(text.replace("U", "z")).options
