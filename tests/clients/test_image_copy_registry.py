"""`image copy` from registries and to them, by way of an engine."""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import narud, registry
from harness.archives import Tree, busybox_layer, docker_archive, oci_archive
from harness.engine import Engine
from harness.narud import EngineUnderTest
from harness.registry import Registry
from harness.requirements import requires

pytestmark = requires("root", "docker-registry", "skopeo")

TOP = Tree().file("top", random.Random(2).randbytes(1 << 20)).tar()


@pytest.fixture(scope="module")
def hub() -> Iterator[Registry]:
    with registry.serving({"app:1": docker_archive(["app:1"], [busybox_layer(), TOP])}) as serving:
        yield serving


@pytest.fixture(scope="module")
def started() -> Iterator[EngineUnderTest]:
    """Give an engine of our own: one that has pushed knows what registries have."""
    engine = narud.started()
    yield engine
    engine.destroy()


@pytest.fixture
def engine(started: EngineUnderTest) -> Iterator[Engine]:
    before = ids(started)
    yield started
    started.remove_all()
    for image in ids(started) - before:
        started.docker("rmi", "-f", image).ok()


def ids(engine: Engine) -> set[str]:
    return {item["Id"] for item in engine.api("GET", "/images/json").json()}


def tags(engine: Engine) -> set[str]:
    listed = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}").ok()
    return set(listed.lines())


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
    assert engine.has_image(name)


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
    assert engine.has_image(f"{hub.address}/app:1")


def test_the_engine_pushes_and_keeps_its_names(engine: Engine, hub: Registry) -> None:
    engine.load(docker_archive(["mine:1"], [busybox_layer(), TOP], {"Cmd": ["mine"]}))
    name = f"{hub.address}/team/mine:1"
    engine.docker("tag", "busybox", name).ok()
    before = tags(engine), engine.docker("inspect", "-f", "{{.Id}}", name).ok().out
    said = copy(engine, "mine:1", f"docker://{name}")
    assert said[-1] == f"docker://{name}"
    assert f"The push refers to repository [{hub.address}/team/mine]" in said
    found = tags(engine), engine.docker("inspect", "-f", "{{.Id}}", name).ok().out
    assert found == before
    assert digest(f"docker://{name}") in "".join(said)
    copy(engine, "mine:1", f"docker://{hub.address}/team/mine:2")
    assert tags(engine) == before[0]
    # An image without any other name would go with this one.
    image = engine.docker("inspect", "-f", "{{.Id}}", "mine:1").ok().out.strip()
    engine.docker("rmi", "--no-prune", "-f", "mine:1", name).ok()
    engine.load(docker_archive([], [busybox_layer(), TOP], {"Cmd": ["mine"]}))
    pushed = engine.naru("image", "copy", image, f"docker://{hub.address}/team/mine:3").ok()
    left = f"{hub.address}/team/mine:3"
    assert pushed.err == f"the engine keeps the name {left}: the image has no other\n"
    assert engine.docker("inspect", "-f", "{{.RepoTags}}", image).ok().out == (
        f"[{hub.address}/team/mine:3]\n"
    )


def test_a_file_goes_to_a_registry_and_the_engine_forgets_it(
    engine: Engine, hub: Registry, tmp_path: Path
) -> None:
    before = ids(engine), tags(engine)
    (tmp_path / "x.tar").write_bytes(oci_archive("file:1", [busybox_layer(), TOP]))
    name = f"{hub.address}/team/file:1"
    copy(engine, f"oci-archive:{tmp_path}/x.tar", f"docker://{name}")
    assert (ids(engine), tags(engine)) == before
    assert digest(f"docker://{name}") == digest(f"oci-archive:{tmp_path}/x.tar")
    # From registry to registry, by way of the engine.
    copy(engine, "-q", f"docker://{name}", f"docker://{hub.address}/other/file:2")
    assert (ids(engine), tags(engine)) == before
    assert digest(f"docker://{hub.address}/other/file:2") == digest(f"docker://{name}")


def test_a_registry_that_refuses_is_named(engine: Engine) -> None:
    before = tags(engine)
    with registry.serving(basic=True) as locked:
        refused = engine.naru("image", "copy", "busybox", f"docker://{locked.address}/x:1")
    assert refused.code == 1
    assert refused.err.startswith(f"docker://{locked.address}/x:1: ")
    assert "no basic auth credentials" in refused.err
    assert tags(engine) == before


def test_what_the_registry_has_not_is_told(engine: Engine, hub: Registry) -> None:
    refused = engine.naru("image", "copy", f"docker://{hub.address}/none:1", "engine:x")
    assert refused.code == 1
    assert refused.err == f"docker://{hub.address}/none:1: manifest unknown: manifest unknown\n"
