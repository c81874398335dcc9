"""Volumes, mounts and tmpfs."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.cli.container_options.mounts import parse_mount, read_tmpfs, read_volumes
from naru.errors import InvalidInputError


def test_sources_make_binds_and_paths_alone_make_volumes() -> None:
    binds, volumes = read_volumes(["/a:/b:ro", "name:/c", "/d", "/d", "/a:/b:ro"])
    assert binds == ["/a:/b:ro", "name:/c"]
    assert volumes == {"/d": {}}


def test_relative_sources_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_volumes(["./x:/y", ".:/z", "..:/w"])[0] == [
        f"{tmp_path}/x:/y",
        f"{tmp_path}:/z",
        f"{tmp_path.parent}:/w",
    ]
    assert parse_mount("type=bind,src=./x,dst=/y")["Source"] == f"{tmp_path}/x"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        ("", "invalid empty volume spec"),
        (":/b", "invalid spec: :/b: empty section between colons"),
        ("/a:/b:", "invalid spec: /a:/b:: empty section between colons"),
        ("/aa:/b:cc:dd", "invalid spec: /aa:/b:cc:dd: too many colons"),
    ],
)
def test_bad_volumes_are_refused_in_dockers_words(spec: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        read_volumes([spec])
    assert caught.value.message == problem


def test_a_mount_says_only_what_was_said() -> None:
    assert parse_mount("dst=/b") == {"Type": "volume", "Target": "/b"}
    assert parse_mount("type=bind,src=/a,dst=/b,ro") == {
        "Type": "bind",
        "Source": "/a",
        "Target": "/b",
        "ReadOnly": True,
    }


def test_quotes_keep_commas_together() -> None:
    mount = parse_mount('type=volume,src=v,dst=/b,"volume-opt=o=addr=1,rw",volume-driver=local')
    assert mount["VolumeOptions"]["DriverConfig"] == {
        "Name": "local",
        "Options": {"o": "addr=1,rw"},
    }


def test_sizes_and_modes_are_numbers() -> None:
    mount = parse_mount("type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1777")
    assert mount["TmpfsOptions"] == {"SizeBytes": 1 << 20, "Mode": 0o1777}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("type=bind,src=/a", "target is required"),
        ("type=bind,src=/a,dst=/b,x", "invalid field 'x' must be a key=value pair"),
        ("type=bind,src=/a,dst=/b,x=y", "unexpected key 'x' in 'x=y'"),
        ("type=,dst=/b", "type is required"),
        (
            "type=tmpfs,dst=/b,volume-nocopy",
            "cannot mix 'volume-*' options with mount type 'tmpfs'",
        ),
        ("type=bind,dst=/b,image-subpath=x", "cannot mix 'image-*' options with mount type 'bind'"),
        ("type=tmpfs,dst=/b,tmpfs-size=-1", "invalid value for tmpfs-size: -1"),
        ("dst=/b,ro=perhaps", "invalid value for ro: perhaps"),
        (
            "type=bind,src=/a,dst=/b,bind-recursive=writable",
            "option 'bind-recursive=writable' requires 'readonly' to be specified in conjunction",
        ),
    ],
)
def test_bad_mounts_are_refused_in_dockers_words(text: str, problem: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_mount(text)
    assert caught.value.message == problem


def test_tmpfs_options_follow_the_first_colon() -> None:
    assert read_tmpfs(["/a", "/b:size=1m,mode=700"]) == {"/a": "", "/b": "size=1m,mode=700"}
