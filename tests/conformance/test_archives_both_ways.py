"""What dockerd saves we load, and what we save dockerd loads: the same images under the same names."""

from __future__ import annotations

import pytest

from harness import dockerd
from harness.archives import Tree, busybox_layer, docker_archive
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


@pytest.mark.slow
@pytest.mark.dockerd_release("20.10")
@requires("dockerd", "containerd", "iptables", "unshare", "root", "crun", "conmon", "nft")
def test_archives_go_both_ways(engine: Engine) -> None:
    with dockerd.running() as theirs:
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
