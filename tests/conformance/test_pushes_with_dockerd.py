"""Pushes of ours beside those of a real dockerd: the same words, and each takes what the other sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from harness import dockerd
from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine
from harness.registry import Registry, serving
from harness.requirements import requires

pytestmark = [
    requires("root", "dockerd", "docker-registry"),
    pytest.mark.dockerd_release("20.10"),
]

LAYERS = [Tree().file("one", "1\n").tar(), busybox_layer(), Tree().file("three", "3\n").tar()]
_NOBODY = {"X-Registry-Auth": "e30="}
_FINAL = ("Pushed", "Layer already exists", "Mounted from")


@pytest.fixture(scope="module")
def docker() -> Iterator[Engine]:
    with dockerd.running(for_images_only=True) as other:
        yield other


@pytest.fixture(scope="module")
def hub() -> Iterator[Registry]:
    with serving() as registry:
        yield registry


@pytest.fixture(autouse=True)
def cleared(engine: Engine, docker: Engine) -> Iterator[None]:
    yield
    for each in (engine, docker):
        each.docker("rmi", "-f", *each.docker("images", "-q", "127.0.0.1:*/*/*").ok().lines())


def pushed(engine: Engine, name: str, tag: str | None) -> list[dict[str, Any]]:
    query = {} if tag is None else {"tag": tag}
    answer = engine.api("POST", f"/images/{name}/push", query=query, headers=_NOBODY).ok(200)
    return [json.loads(line) for line in answer.body.splitlines()]


def told(engine: Engine, name: str, tag: str | None, hide: str) -> list[Any]:
    """Return what a push tells, but for the order of its layers, bytes, and what is our own."""
    records = [each for each in pushed(engine, name, tag) if each.get("status") != "Pushing"]
    text = json.dumps(records).replace(hide, "WHO")
    text = re.sub(r"sha256:[0-9a-f]{64}", "DIGEST", text)
    text = re.sub(r'size: [0-9]+|"Size": [0-9]+', "SIZE", text).replace("{SIZE", '{"SIZE": 1')
    found = json.loads(re.sub(r'(?<=", )SIZE', '"SIZE": 1', text))
    ends = [each for each in found if str(each.get("status")).startswith(_FINAL)]
    others = [each for each in found if each not in ends]
    return [*others, *sorted(ends, key=str)]


def test_the_records_are_dockerds(engine: Engine, docker: Engine, hub: Registry) -> None:
    heard = {}
    # Layers that no other test has brought there.
    layers = [Tree().file(f"record{number}").tar() for number in range(3)]
    for who, each in (("naru", engine), ("docker", docker)):
        base = f"{hub.address}/{who}"
        each.load(docker_archive([f"{base}/a:1", f"{base}/a:2", f"{base}/b:1"], layers))
        nobody = f"127.0.0.1:1/{who}/x"
        each.docker("tag", f"{base}/a:1", f"{nobody}:1").ok()
        asked = [
            *((f"{base}/a", "1"), (f"{base}/a", "1"), (f"{base}/b", "1"), (f"{base}/a", None)),
            *((f"{base}/a", "none"), (f"{base}/none", "1"), (f"{base}/none", None)),
            *((nobody, "1"), (f"{base}/a@sha256:{'a' * 64}", None)),
        ]
        heard[who] = [told(each, name, tag, who) for name, tag in asked]
    for ours, theirs in zip(heard["naru"], heard["docker"], strict=True):
        assert ours == theirs


def test_each_takes_what_the_other_pushed(engine: Engine, docker: Engine, hub: Registry) -> None:
    ours, theirs = f"{hub.address}/ours/x", f"{hub.address}/theirs/x"
    engine.load(docker_archive([f"{ours}:1"], LAYERS))
    docker.load(docker_archive([f"{theirs}:1"], [*LAYERS, LAYERS[0]]))
    pushed(engine, ours, "1")
    pushed(docker, theirs, "1")
    for puller, pusher, name in ((docker, engine, ours), (engine, docker, theirs)):
        puller.docker("pull", f"{name}:1").ok()
        seen = [
            each.api("GET", f"/images/{name}:1/json").ok(200).json() for each in (puller, pusher)
        ]
        assert seen[0]["Id"] == seen[1]["Id"]
        assert seen[0]["RepoDigests"] == seen[1]["RepoDigests"]
        # Who pulled it knows that nothing of it need be sent.
        puller.docker("tag", f"{name}:1", f"{name}:again").ok()
        words = [each.get("status") for each in pushed(puller, name, "again") if each.get("id")]
        assert "Preparing" in words
        assert "Pushed" not in words
