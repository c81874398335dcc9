"""Files from outside: binds, named and anonymous volumes, tmpfs, copy-up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine

_IMAGE = "naru-test/volumes:latest"


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """Give the name of a volume that does not exist yet, and remove it at the end."""
    name = f"naru-test-volume-{os.getpid()}"
    yield name
    engine.remove_all()
    engine.api("DELETE", f"/volumes/{name}").ok(204, 404)


@pytest.fixture
def image(engine: Engine) -> Iterator[str]:
    """Give an image that declares a volume with content in it."""
    layer = (
        Tree()
        .directory("data", mode=0o750, uid=1000, gid=1000)
        .file("data/file", "from the image\n", mode=0o600, uid=1000, gid=50)
        .symlink("data/link", "file")
        .directory("data/deep")
        .file("data/deep/er", "deeper\n")
    )
    config = {"Cmd": ["sh"], "Volumes": {"/data": {}}}
    engine.load(docker_archive([_IMAGE], [busybox_layer(), layer.tar()], config))
    yield _IMAGE
    engine.remove_all()
    engine.api("DELETE", f"/images/{_IMAGE}").ok(200)


def _mount(engine: Engine, container: str) -> dict[str, Any]:
    [mount] = engine.inspect(container)["Mounts"]
    assert isinstance(mount, dict)
    return mount


def test_a_bind_shows_the_hosts_files_both_ways(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("host\n")
    done = engine.sh("cat /mnt/in; echo box > /mnt/out", host={"Binds": [f"{tmp_path}:/mnt"]})
    assert done.out == "host\n"
    assert (tmp_path / "out").read_text() == "box\n"
    mount = _mount(engine, done.id)
    assert (mount["Type"], mount["Source"], mount["Destination"], mount["RW"]) == (
        "bind",
        str(tmp_path),
        "/mnt",
        True,
    )


def test_a_read_only_bind_cannot_be_written(engine: Engine, tmp_path: Path) -> None:
    done = engine.sh("echo x > /mnt/x", host={"Binds": [f"{tmp_path}:/mnt:ro"]})
    assert done.code != 0
    assert "Read-only file system" in done.err
    assert list(tmp_path.iterdir()) == []
    assert _mount(engine, done.id)["RW"] is False


def test_a_single_file_can_be_bound(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("value\n")
    done = engine.sh("cat /etc/conf", host={"Binds": [f"{tmp_path}/conf:/etc/conf:ro"]})
    assert done.out == "value\n"


def test_a_bind_makes_the_missing_directory(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "not" / "there"
    assert engine.sh("touch /mnt/x", host={"Binds": [f"{source}:/mnt"]}).code == 0
    assert (source / "x").exists()


def test_a_mount_of_a_missing_directory_is_refused(engine: Engine, tmp_path: Path) -> None:
    mount = {"Type": "bind", "Source": f"{tmp_path}/none", "Target": "/mnt"}
    answer = engine.ask_to_create(host={"Mounts": [mount]})
    assert answer.status == 400
    assert answer.message == (
        f'invalid mount config for type "bind": bind source path does not exist: {tmp_path}/none'
    )


def test_a_named_volume_is_made_and_shared(engine: Engine, volume: str) -> None:
    binds = {"Binds": [f"{volume}:/data"]}
    assert engine.sh("echo kept > /data/file", host=binds).code == 0
    done = engine.sh("cat /data/file", host=binds)
    assert done.out == "kept\n"
    mount = _mount(engine, done.id)
    assert (mount["Type"], mount["Name"], mount["Driver"]) == ("volume", volume, "local")
    found = engine.api("GET", f"/volumes/{volume}").ok(200).json()
    assert Path(found["Mountpoint"], "file").read_text() == "kept\n"


def test_a_named_volume_outlives_its_containers(engine: Engine, volume: str) -> None:
    done = engine.sh("true", host={"Binds": [f"{volume}:/data"]})
    answer = engine.api("DELETE", f"/volumes/{volume}")
    assert answer.status == 409
    assert f"volume is in use - [{done.id}]" in answer.message
    engine.remove(done.id)
    assert engine.api("GET", f"/volumes/{volume}").status == 200


def test_mounts_say_the_same_in_the_long_form(engine: Engine, volume: str) -> None:
    mount = {"Type": "volume", "Source": volume, "Target": "/data", "ReadOnly": True}
    done = engine.sh("touch /data/x", host={"Mounts": [mount]})
    assert "Read-only file system" in done.err
    assert _mount(engine, done.id)["Name"] == volume


def test_a_volume_of_the_image_is_made_for_each_container(engine: Engine, image: str) -> None:
    first = engine.sh("echo changed > /data/file", image=image)
    second = engine.sh("cat /data/file", image=image)
    assert second.out == "from the image\n"
    names = [_mount(engine, done.id)["Name"] for done in (first, second)]
    assert len(set(names)) == 2
    for done in (first, second):
        engine.remove(done.id)
    for name in names:
        assert engine.api("GET", f"/volumes/{name}").status == 404


def test_an_empty_volume_gets_what_the_image_has_there(
    engine: Engine, image: str, volume: str
) -> None:
    script = "stat -c '%a %u %g %n' /data /data/file; readlink /data/link; cat /data/deep/er"
    done = engine.sh(script, image=image, host={"Binds": [f"{volume}:/data"]})
    assert done.out.splitlines() == [
        "750 1000 1000 /data",
        "600 1000 50 /data/file",
        "file",
        "deeper",
    ]


def test_a_volume_with_content_is_left_alone(engine: Engine, image: str, volume: str) -> None:
    engine.sh("touch /data/mine", host={"Binds": [f"{volume}:/data"]})
    done = engine.sh("ls /data", image=image, host={"Binds": [f"{volume}:/data"]})
    assert done.out == "mine\n"


def test_nocopy_leaves_a_volume_empty(engine: Engine, image: str, volume: str) -> None:
    done = engine.sh("ls /data", image=image, host={"Binds": [f"{volume}:/data:nocopy"]})
    assert done.out == ""


def test_volumes_of_another_container_can_be_had(engine: Engine, volume: str) -> None:
    first = engine.create("true", host={"Binds": [f"{volume}:/data"]}, name="naru-test-from")
    done = engine.sh("touch /data/x; ls /data", host={"VolumesFrom": ["naru-test-from"]})
    assert done.out == "x\n"
    assert _mount(engine, done.id)["Name"] == _mount(engine, first)["Name"]
    done = engine.sh("touch /data/y", host={"VolumesFrom": ["naru-test-from:ro"]})
    assert "Read-only file system" in done.err


def test_a_tmpfs_is_in_memory_and_bounded(engine: Engine) -> None:
    script = "grep ' /fast ' /proc/mounts; head -c 2000000 /dev/zero > /fast/x"
    done = engine.sh(script, host={"Tmpfs": {"/fast": "size=1m,mode=0700"}})
    assert done.out.startswith("tmpfs /fast tmpfs ")
    for word in ("size=1024k", "mode=700", "nosuid", "nodev", "noexec"):
        assert word in done.out
    assert done.code != 0


def test_a_tmpfs_can_be_a_mount(engine: Engine) -> None:
    mount = {
        "Type": "tmpfs",
        "Target": "/fast",
        "TmpfsOptions": {"SizeBytes": 1 << 20, "Mode": 0o1770},
    }
    done = engine.sh("grep ' /fast ' /proc/mounts; stat -c %a /fast", host={"Mounts": [mount]})
    assert "size=1024k" in done.out
    assert done.out.endswith("\n1770\n")


def test_a_mount_may_lie_inside_another(engine: Engine, tmp_path: Path, volume: str) -> None:
    binds = [f"{volume}:/a/b/c", f"{tmp_path}:/a"]
    done = engine.sh("echo x > /a/b/c/x; echo y > /a/y; ls /a", host={"Binds": binds})
    assert done.out == "b\ny\n"
    assert (tmp_path / "y").exists()
    assert list((tmp_path / "b" / "c").iterdir()) == []


def test_a_symlink_of_the_image_cannot_lead_a_mount_out(engine: Engine, tmp_path: Path) -> None:
    name = "naru-test/symlink:latest"
    layer = Tree().symlink("trap", str(tmp_path / "outside")).tar()
    engine.load(docker_archive([name], [busybox_layer(), layer]))
    try:
        (tmp_path / "in").mkdir()
        container = engine.create("true", image=name, host={"Binds": [f"{tmp_path}/in:/trap"]})
        # Refusing it is as good as staying inside.
        engine.api("POST", f"/containers/{container}/start").ok(204, 400)
        assert not (tmp_path / "outside").exists()
    finally:
        engine.remove_all()
        engine.api("DELETE", f"/images/{name}").ok(200)


@pytest.mark.parametrize(
    ("bind", "words"),
    [
        ("/a:relative", "invalid mount path: 'relative' mount path must be absolute"),
        ("/a:/b:sideways", "invalid mode: sideways"),
        ("/a:/b:ro:more", "invalid volume specification: '/a:/b:ro:more'"),
        ("bad name:/b", '"bad name" includes invalid characters for a local volume name'),
        ("/a:/", "invalid volume specification: '/a:/': "),
    ],
)
def test_binds_that_make_no_sense_are_refused(engine: Engine, bind: str, words: str) -> None:
    answer = engine.ask_to_create(host={"Binds": [bind]})
    assert answer.status in (400, 500)
    assert words in answer.message
    if engine.is_naru:
        assert answer.status == 400


def test_two_mounts_on_one_place_are_refused(engine: Engine, tmp_path: Path) -> None:
    binds = [f"{tmp_path}:/mnt", f"{tmp_path}:/mnt"]
    answer = engine.ask_to_create(host={"Binds": binds})
    assert (answer.status, answer.message) == (400, "Duplicate mount point: /mnt")


def test_volumes_are_made_listed_and_removed_by_themselves(engine: Engine, volume: str) -> None:
    body = {"Name": volume, "Labels": {"kind": "test"}}
    made = engine.api("POST", "/volumes/create", body).ok(201).json()
    assert (made["Name"], made["Driver"], made["Scope"]) == (volume, "local", "local")
    assert made["Labels"] == {"kind": "test"}
    query = {"filters": {"name": [volume]}}
    listed = engine.api("GET", "/volumes", query=query).ok(200).json()["Volumes"]
    assert [item["Name"] for item in listed] == [volume]
    engine.api("DELETE", f"/volumes/{volume}").ok(204)
    answer = engine.api("GET", f"/volumes/{volume}")
    assert answer.status == 404
    assert "no such volume" in answer.message
