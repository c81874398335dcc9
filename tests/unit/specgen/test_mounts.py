"""Options of mounts and of tmpfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.specgen.mounts import MountPoint, container_mounts, tmpfs_options


@pytest.mark.parametrize(
    ("options", "read_only", "result"),
    [
        ([], False, ["noexec", "nosuid", "nodev"]),
        (["exec", "size=64m"], False, ["nosuid", "nodev", "exec", "size=64m"]),
        (
            ["size=1m,mode=1777", "size=2m"],
            False,
            ["noexec", "nosuid", "nodev", "mode=1777", "size=2m"],
        ),
        (["rw"], True, ["noexec", "nosuid", "nodev", "ro"]),
        (["defaults"], False, ["noexec", "nosuid", "nodev"]),
        (
            ["uid=5", "gid=6", "rw", "noexec"],
            False,
            ["nosuid", "nodev", "uid=5", "gid=6", "rw", "noexec"],
        ),
    ],
)
def test_tmpfs_options_override_the_defaults(
    options: list[str], read_only: bool, result: list[str]
) -> None:
    assert tmpfs_options(options, read_only=read_only) == result


@pytest.mark.parametrize("options", [["foo"], ["size"], ["ro=1"], ["foo=bar"], ["size="]])
def test_other_options_are_refused(options: list[str]) -> None:
    with pytest.raises(InvalidInputError, match="invalid tmpfs option"):
        tmpfs_options(options)


def test_the_refusal_lists_what_is_wrong() -> None:
    with pytest.raises(InvalidInputError) as caught:
        tmpfs_options(["size=1m", "foo", "bar"])
    assert caught.value.message == 'invalid tmpfs option ["foo" "bar"]'


@pytest.mark.parametrize("destination", ["", "/", "rel", "/a/..", "//"])
def test_destinations_must_be_inside_the_root(destination: str) -> None:
    with pytest.raises(InvalidInputError):
        container_mounts(HostConfig(), [MountPoint("bind", "/x", destination)], {})


def test_binds_are_recursive_and_private_unless_told() -> None:
    points = [
        MountPoint("bind", "/x", "/a"),
        MountPoint("bind", "/x", "/b", read_only=True, propagation="rslave", options=("bind",)),
        MountPoint("bind", "/x", "/c", read_only=True, options=("rro",)),
    ]
    mounts = {m["destination"]: m["options"] for m in container_mounts(HostConfig(), points, {})}
    assert mounts["/a"] == ["rbind", "rprivate"]
    assert mounts["/b"] == ["bind", "ro", "slave"]
    assert mounts["/c"] == ["rbind", "rro", "rprivate"]
    with pytest.raises(InvalidInputError, match="invalid propagation mode: odd"):
        container_mounts(HostConfig(), [MountPoint("bind", "/x", "/a", propagation="odd")], {})


def test_shm_has_the_size_that_was_asked_for() -> None:
    mounts = container_mounts(HostConfig(shm_size=4096), [], {})
    shm = next(m for m in mounts if m["destination"] == "/dev/shm")
    assert "size=4096" in shm["options"]


@pytest.mark.parametrize("destination", ["/proc", "/proc/self/attr", "/proc/../proc/sys"])
@pytest.mark.parametrize("kind", ["bind", "tmpfs"])
def test_proc_stays_what_it_is(kind: str, destination: str) -> None:
    with pytest.raises(InvalidInputError, match="/proc"):
        container_mounts(HostConfig(), [MountPoint(kind, "/x", destination)], {})


def test_the_hosts_proc_and_what_nobody_trusts_may_be_shown() -> None:
    points = [MountPoint("bind", "/proc", "/proc"), MountPoint("bind", "/x", "/proc/meminfo")]
    found = [m["source"] for m in container_mounts(HostConfig(), points, {})]
    assert {"/proc", "/x"} <= set(found)


def test_etc_files_are_read_only_with_their_root() -> None:
    etc = {"/etc/hosts": Path("/h")}
    for read_only in (True, False):
        mounts = container_mounts(HostConfig(readonly_rootfs=read_only), [], etc)
        [hosts] = [mount for mount in mounts if mount["destination"] == "/etc/hosts"]
        assert ("ro" in hosts["options"]) == read_only
