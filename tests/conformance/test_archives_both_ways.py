"""What others save we load, and what we save they load: the same images under the same names."""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import dockerd, leaks
from harness.archives import Tree, busybox_layer, docker_archive, members
from harness.engine import Engine
from harness.requirements import requires

_NAME = "naru-test/both:1"
_LAYERS = [
    busybox_layer(),
    Tree().directory("d").file("d/gone", "x").file("d/kept", "lower\n").tar(),
    Tree().directory("d").file("d/.wh.gone").file("d/kept", "upper\n").tar(),
]


def _facts(engine: Engine) -> object:
    found = engine.api("GET", f"/images/{_NAME}/json").ok(200).json()
    steps = engine.api("GET", f"/images/{_NAME}/history").ok(200).json()
    return (
        {key: found[key] for key in ("Id", "RepoTags", "Config", "RootFS", "Author", "Size")},
        [(step["CreatedBy"], step["Comment"], step["Size"]) for step in steps],
    )


def _before_1_10(archive: bytes) -> bytes:
    """Return what dockerd saved as its elders did, without what they did not know."""
    kept = [entry for entry in members(archive) if not entry[0].name.endswith(".json")]
    return Tree(kept).tar()


@pytest.mark.slow
@pytest.mark.dockerd_release("20.10")
@requires("dockerd", "containerd", "iptables", "unshare", "root", "crun", "conmon", "nft")
def test_archives_go_both_ways(engine: Engine) -> None:
    with dockerd.running() as theirs:
        archive = b""
        for one, other in ((engine, theirs), (theirs, engine)):
            one.load(docker_archive([_NAME], _LAYERS, {"Cmd": ["cat", "/d/kept"]}))
            ran = one.run("sh", "-c", "echo hi > /f; rm /d/kept; ln /bin/vi /v", image=_NAME)
            query = {"container": ran.id, "repo": _NAME.partition(":")[0], "tag": "1"}
            query |= {"author": "me", "comment": "words"}
            one.api("POST", "/commit", query=query).ok(201)
            one.remove(ran.id)
            wanted = _facts(one)
            archive = one.api("GET", f"/images/{_NAME}/get").ok(200).body
            other.load(archive)
            assert _facts(other) == wanted
            script = "cat /f; ls /d; [ /v -ef /bin/vi ] && echo linked"
            seen = [each.run("sh", "-c", script, image=_NAME) for each in (one, other)]
            assert [each.out for each in seen] == ["hi\nlinked\n"] * 2
            for each, finished in zip((one, other), seen, strict=True):
                each.remove(finished.id)
                each.api("DELETE", f"/images/{_NAME}").ok(200)
        for each in (theirs, engine):
            each.load(_before_1_10(archive))
        assert _facts(engine) == _facts(theirs)
        engine.api("DELETE", f"/images/{_NAME}").ok(200)


@pytest.fixture
def podman_places() -> Iterator[list[str]]:
    """Give the options for a podman of one's own; it takes no long paths."""
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as top:
        names = ("root", "runroot", "tmpdir", "network-config-dir")
        yield [f"--{name}={top}/{name}" for name in names]
        for target in reversed(leaks.mounts([Path(top)])):
            subprocess.run(["umount", "-l", target], check=False, capture_output=True)


@pytest.mark.slow
@requires("podman", "root")
def test_podman_and_we_read_each_others_archives(
    engine: Engine, podman_places: list[str], tmp_path: Path
) -> None:
    def podman(*words: str) -> str:
        argv = ["podman", "--storage-driver=vfs", "--events-backend=file", *podman_places, *words]
        done = subprocess.run(argv, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def id_at_podman(name: str) -> str:
        [found] = json.loads(podman("image", "inspect", name))
        return f"sha256:{found['Id']}"

    def forget() -> None:
        for name in names:
            engine.api("DELETE", f"/images/{name}").ok(200, 404)

    # Names without a host would become podman's own.
    names = ["registry.test/both:1", "registry.test/both:2", "registry.test/upper:1"]
    engine.load(docker_archive(names[:2], _LAYERS))
    engine.load(docker_archive(names[2:], [*_LAYERS, Tree().file("top", "top").tar()]))
    ids = [engine.api("GET", f"/images/{name}/json").ok(200).json()["Id"] for name in names]
    path = tmp_path / "ours.tar"
    engine.naru("save", "-o", str(path), *names).ok()
    podman("load", "--quiet", "-i", str(path))
    assert [id_at_podman(name) for name in names] == ids
    forms = {
        "docker-archive": [*names[1:], "--multi-image-archive"],
        "oci-archive": [names[2]],
    }
    for form, words in forms.items():
        theirs = tmp_path / form
        podman("save", "--quiet", f"--format={form}", "-o", str(theirs), *words)
        forget()
        engine.load(theirs.read_bytes())
        found = engine.api("GET", f"/images/{names[2]}/json").ok(200).json()
        # Podman writes a config anew for OCI: other bytes, and the same image.
        assert found["Id"] == ids[2] or form == "oci-archive"
        ran = engine.run("cat", "/d/kept", "/top", image=names[2])
        assert ran.out == "upper\ntop"
        engine.remove(ran.id)
        forget()
