"""Every kind of `--mount` with every option: what is seen, what can be written, what is refused."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.engine import Engine, Finished
from harness.wire import Response

# What knows all kinds of mounts.
_VERSION = "1.48"


def _create(engine: Engine, script: str, *mounts: dict[str, Any], **host: Any) -> Response:
    whole = {"Mounts": list(mounts), **host}
    return engine.ask_to_create("sh", "-c", script, host=whole, version=_VERSION)


def _run(engine: Engine, script: str, *mounts: dict[str, Any], **host: Any) -> Finished:
    return engine.sh(script, host={"Mounts": list(mounts), **host}, version=_VERSION)


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    """Give a volume with a folder, a file, and links that lead out of it."""
    name = f"naru-test-kinds-{os.getpid()}"
    script = "mkdir v/sub; echo in > v/sub/file; ln -s /etc v/out; ln -s ../../../../etc v/up"
    assert engine.sh(f"cd /; {script}", host={"Binds": [f"{name}:/v"]}).code == 0
    yield name
    engine.remove_all()
    engine.api("DELETE", f"/volumes/{name}").ok(204)


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[Path]:
    """Give a directory with a mount in it."""
    inner = tmp_path / "inner"
    inner.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", inner], check=True)
    yield tmp_path
    subprocess.run(["umount", "-l", inner], check=True)


@pytest.mark.naru_only
def test_an_image_is_seen_and_cannot_be_written(engine: Engine) -> None:
    mount = {"Type": "image", "Source": "busybox", "Target": "/image"}
    done = _run(engine, "ls -d /image/bin/sh; touch /image/x", mount)
    assert done.out == "/image/bin/sh\n"
    assert "Read-only file system" in done.err
    [shown] = engine.inspect(done.id)["Mounts"]
    assert (shown["Type"], shown["Name"], shown["RW"]) == ("image", "busybox", False)
    # The view is made anew at every start.
    engine.start(done.id)
    engine.wait(done.id)
    assert engine.logs(done.id)["stdout"] == b"/image/bin/sh\n/image/bin/sh\n"


@pytest.mark.naru_only
def test_a_part_of_an_image_can_be_mounted(engine: Engine) -> None:
    mount = {
        "Type": "image",
        "Source": "busybox",
        "Target": "/part",
        "ImageOptions": {"Subpath": "bin/sh"},
    }
    assert _run(engine, "test -x /part && echo yes", mount).out == "yes\n"
    mount["ImageOptions"] = {"Subpath": "../etc"}
    assert _create(engine, "true", mount).status == 400
    mount["ImageOptions"] = {"Subpath": "not/there"}
    container = _create(engine, "true", mount).ok(201).json()["Id"]
    answer = engine.api("POST", f"/containers/{container}/start")
    assert "cannot access path not/there of the image" in answer.message


@pytest.mark.naru_only
def test_an_absent_image_leaves_nothing_of_the_container(engine: Engine) -> None:
    mounts = [{"Type": "image", "Source": name, "Target": f"/{name}"} for name in ("busybox", "no")]
    answer = _create(engine, "true", *mounts)
    assert (answer.status, answer.message) == (404, "No such image: no:latest")
    assert engine.api("GET", "/containers/json", query={"all": True}).json() == []


@pytest.mark.naru_only
def test_a_part_of_a_volume_can_be_mounted(engine: Engine, volume: str) -> None:
    def mount(subpath: str) -> dict[str, Any]:
        options = {"Subpath": subpath}
        return {"Type": "volume", "Source": volume, "Target": "/p", "VolumeOptions": options}

    assert _run(engine, "cat /p/file; echo more > /p/new", mount("sub")).out == "in\n"
    assert _run(engine, "cat /p", mount("sub/new")).out == "more\n"
    for way in ("out", "up"):
        container = _create(engine, "ls /p", mount(way)).ok(201).json()["Id"]
        answer = engine.api("POST", f"/containers/{container}/start")
        # `etc` of the volume, which is not there, and never the host's.
        assert "cannot access path" in answer.message, way
    answer = _create(engine, "true", mount("sub/../../x"))
    assert answer.message == (
        'invalid mount config for type "volume": subpath must be a relative path within the volume'
    )


@pytest.mark.naru_only
def test_read_only_reaches_what_is_mounted_below_unless_told(engine: Engine, tree: Path) -> None:
    def writes(**options: Any) -> list[str]:
        mount = {
            "Type": "bind",
            "Source": str(tree),
            "Target": "/m",
            "ReadOnly": True,
            "BindOptions": options,
        }
        script = "touch /m/x 2>&- && echo top; touch /m/inner/x 2>&- && echo inner; ls /m/inner"
        return _run(engine, script, mount).out.split()

    assert writes() == []
    assert writes(ReadOnlyForceRecursive=True, Propagation="rprivate") == []
    assert writes(ReadOnlyNonRecursive=True) == ["inner", "x"]
    # Without what is mounted below, there is the directory that it covers.
    assert writes(NonRecursive=True) == []


def test_a_mount_that_does_not_propagate_cannot_be_shared(engine: Engine, tree: Path) -> None:
    inner = tree / "inner"
    subprocess.run(["mount", "--make-private", inner], check=True)
    container = engine.create("true", host={"Binds": [f"{inner}:/m:rshared"]})
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.message == f"path {inner} is mounted on {inner} but it is not a shared mount"
    container = engine.create("true", host={"Binds": [f"{inner}:/m:slave"]})
    answer = engine.api("POST", f"/containers/{container}/start")
    assert answer.message == (
        f"path {inner} is mounted on {inner} but it is not a shared or slave mount"
    )


@pytest.mark.naru_only
def test_propagation_carries_mounts_in_and_out(engine: Engine, tree: Path) -> None:
    inner = tree / "inner"
    subprocess.run(["mount", "--make-shared", inner], check=True)
    (inner / "theirs").mkdir()
    (inner / "ours").mkdir()
    script = "mount -t tmpfs none /m/theirs && echo mounted; while ! [ -e /m/ours/x ]; do :; done"
    container = engine.up(
        "sh", "-c", script, host={"Binds": [f"{inner}:/m:rshared"], "CapAdd": ["SYS_ADMIN"]}
    )
    subprocess.run(["mount", "-t", "tmpfs", "none", inner / "ours"], check=True)
    try:
        (inner / "ours" / "x").touch()
        assert engine.wait(container) == 0
        assert os.path.ismount(inner / "theirs")
    finally:
        subprocess.run(["umount", "-R", inner / "ours"], check=True)
        subprocess.run(["umount", "-R", inner / "theirs"], check=False)


def test_mounts_of_a_stopped_container_and_of_its_donor_are_had(
    engine: Engine, tmp_path: Path, volume: str
) -> None:
    binds = [f"{tmp_path}:/bind:ro", f"{volume}:/vol"]
    first = engine.create("true", host={"Binds": binds})
    second = engine.create("true", host={"VolumesFrom": [first]})
    script = "cat /vol/sub/file; touch /vol/x && echo rw; touch /bind/x"
    done = engine.sh(script, host={"VolumesFrom": [f"{second}:rw"]})
    assert done.out == "in\nrw\n"
    assert "Read-only file system" in done.err
    done = engine.sh("touch /vol/y", host={"VolumesFrom": [f"{second}:ro,z"]})
    assert "Read-only file system" in done.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "volumes-from specification cannot be an empty string"),
        ("no-such-container", "No such container: no-such-container"),
        ("x:xx", "invalid mode: xx"),
    ],
)
def test_volumes_from_nobody_is_refused(engine: Engine, text: str, words: str) -> None:
    answer = engine.ask_to_create(host={"VolumesFrom": [text]})
    # Not 404, which would tell clients to pull the image.
    assert (answer.status, answer.message) == (400, words)


@pytest.mark.parametrize("kind", ["npipe", "cluster", "nonsense"])
def test_kinds_of_other_systems_are_refused(engine: Engine, kind: str) -> None:
    mount = {"Type": kind, "Source": "a", "Target": "/m"}
    answer = engine.ask_to_create(host={"Mounts": [mount]})
    assert answer.status == 400
    assert answer.message == f'invalid mount config for type "{kind}": mount type unknown'


@pytest.mark.naru_only
def test_a_missing_source_is_made_when_asked(engine: Engine, tmp_path: Path) -> None:
    source = tmp_path / "made" / "here"
    options = {"CreateMountpoint": True}
    mount = {"Type": "bind", "Source": str(source), "Target": "/m", "BindOptions": options}
    assert _run(engine, "touch /m/x", mount).code == 0
    assert (source / "x").exists()


@pytest.mark.naru_only
def test_tmpfs_takes_options(engine: Engine) -> None:
    options = {"SizeBytes": 1 << 20, "Mode": 0o1700, "Options": [["exec"], ["noatime"]]}
    mount = {"Type": "tmpfs", "Target": "/m", "TmpfsOptions": options}
    done = _run(engine, "stat -c %a /m; grep ' /m ' /proc/mounts", mount)
    mode, shown = done.out.splitlines()
    words = shown.split()[3].split(",")
    assert mode == "1700"
    assert {"noatime", "size=1024k", "nosuid", "nodev"} <= set(words)
    assert "noexec" not in words
    mount["TmpfsOptions"] = {"Options": [["bogus"]]}
    answer = _create(engine, "true", mount)
    assert (answer.status, answer.message) == (400, 'invalid tmpfs option ["bogus"]')
