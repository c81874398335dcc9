"""`image copy` from registries and to them, by way of an engine."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import registry
from harness.archives import Tree, busybox_layer, docker_archive
from harness.engine import Engine
from harness.registry import Registry
from harness.requirements import requires

pytestmark = requires("root", "docker-registry", "skopeo")

TOP = Tree().file("top", random.Random(2).randbytes(1 << 20)).tar()


@pytest.fixture(scope="module")
def hub() -> Iterator[Registry]:
    with registry.serving({"app:1": docker_archive(["app:1"], [busybox_layer(), TOP])}) as serving:
        yield serving


@pytest.fixture(autouse=True)
def cleared(engine: Engine) -> Iterator[None]:
    before = ids(engine)
    yield
    for image in ids(engine) - before:
        engine.docker("rmi", "-f", image).ok()


def ids(engine: Engine) -> set[str]:
    return {item["Id"] for item in engine.api("GET", "/images/json").json()}


def tags(engine: Engine) -> list[str]:
    return engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}").ok().lines()


def copy(engine: Engine, *words: str) -> list[str]:
    return engine.naru("image", "copy", *words).ok().lines()


def digest(place: str) -> str:
    argv = ["skopeo", "inspect", "--tls-verify=false", place]
    if not place.startswith("docker:"):
        argv.remove("--tls-verify=false")
    done = subprocess.run(argv, check=True, capture_output=True)
    return str(json.loads(done.stdout)["Digest"])


def test_the_engine_pulls_and_takes_no_other_name(engine: Engine, hub: Registry) -> None:
    name = f"{hub.address}/app:1"
    engine.docker("tag", "busybox", name).ok()
    kept = engine.docker("inspect", "-f", "{{.Id}}", name).ok().out
    said = copy(engine, f"docker://{name}", "engine:mine:1")
    assert said[-1] == "engine:docker.io/library/mine:1"
    assert engine.run("cmp", "/top", "/top", image="mine:1").code == 0
    assert engine.docker("inspect", "-f", "{{.Id}}", name).ok().out == kept
    engine.remove_all()
    engine.docker("rmi", name).ok()
    copy(engine, "-q", f"docker://{name}", "engine:")
    assert name in tags(engine)


def test_a_file_gets_it_and_the_engine_forgets_it(
    engine: Engine, hub: Registry, tmp_path: Path
) -> None:
    before = ids(engine), tags(engine)
    place = f"docker://{hub.address}/app:1"
    said = copy(engine, place, f"oci:{tmp_path}/layout:x")
    # skopeo stores Docker's kind of manifest, and reads no such thing in a layout.
    assert digest(f"oci:{tmp_path}/layout:x") != digest(place)
    assert (ids(engine), tags(engine)) == before
    assert f"Digest: {digest(place)}" in said
    assert f"Digest: {digest(place)}" in copy(engine, f"oci:{tmp_path}/layout", "engine:mine:1")
    # What the engine had stays.
    copy(engine, place, "engine:")
    copy(engine, place, f"docker-archive:{tmp_path}/x.tar")
    assert f"{hub.address}/app:1" in tags(engine)


def test_what_the_registry_has_not_is_told(engine: Engine, hub: Registry) -> None:
    refused = engine.naru("image", "copy", f"docker://{hub.address}/none:1", "engine:x")
    assert refused.code == 1
    assert refused.err == f"docker://{hub.address}/none:1: manifest unknown: manifest unknown\n"
