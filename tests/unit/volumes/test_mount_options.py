"""Options of a local volume."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.linux.mount import MS_BIND, MS_NOSUID, MS_RDONLY, Mount
from naru.volumes.mount_options import (
    check_options,
    is_plain,
    mount_of,
    quota_of,
    resolved,
    shown,
)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"foo": "bar"}, 'invalid option: "foo"'),
        ({"type": "nfs"}, 'missing required option: "device"'),
        ({"device": "/x"}, 'missing required option: "type"'),
        ({"o": "ro"}, 'missing required option: "device"'),
    ],
)
def test_what_is_no_option_is_refused_in_dockers_words(
    options: dict[str, str], message: str
) -> None:
    with pytest.raises(InvalidInputError) as caught:
        check_options(options)
    assert caught.value.message == message


def test_no_options_mean_no_mount() -> None:
    check_options({})
    assert mount_of({}) is None


def test_known_words_are_flags_and_the_rest_is_the_filesystems() -> None:
    options = {"type": "nfs", "device": ":/data", "o": "addr=10.0.0.1,ro,nosuid,vers=4,suid"}
    check_options(options)
    assert mount_of(options) == Mount("nfs", ":/data", "", MS_RDONLY, "addr=10.0.0.1,vers=4")


def test_a_bind_is_one_whatever_its_type() -> None:
    options = {"type": "none", "device": "/data", "o": "bind,nosuid"}
    assert mount_of(options) == Mount("bind", "/data", "", MS_BIND | MS_NOSUID, "")


def test_a_limit_alone_needs_no_mount() -> None:
    check_options({"size": "10m"})
    assert is_plain({"size": "10m"})
    assert not is_plain({"size": "10m", "type": "tmpfs", "device": "tmpfs"})
    assert mount_of({"size": "10m"}) is None
    assert (quota_of({"size": "1.5k"}), quota_of({})) == (1536, 0)
    with pytest.raises(InvalidInputError, match=r"^invalid size: 'much'$"):
        quota_of({"size": "much"})


def test_only_servers_of_network_file_systems_are_looked_up() -> None:
    numbers = {"server": "10.0.0.1"}
    nfs = Mount("nfs", ":/x", "", 0, "nolock,addr=server,soft")
    assert resolved(nfs, numbers.__getitem__).data == "nolock,addr=10.0.0.1,soft"
    other = Mount("ext4", "/dev/x", "", 0, "addr=server")
    assert resolved(other, numbers.__getitem__) == other


def test_a_mount_is_shown_without_its_password() -> None:
    mount = Mount("cifs", "//h/x", "", MS_RDONLY, "username=me,password=secret")
    assert shown(mount, "/there") == (
        "mount //h/x:/there, flags: 0x1, data: username=me,password=********"
    )
    assert shown(Mount("tmpfs", "tmpfs"), "/there") == "mount tmpfs:/there"
