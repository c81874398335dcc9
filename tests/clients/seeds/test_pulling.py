"""`pull`: names, transcripts, all tags, other registries, and what an interrupt leaves.

Docker Hub is a mirror here, which has it all under the hub's names.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from fakes.fake_registry import FakeRegistry
from harness.archives import Tree, image_config
from harness.clients import Client, ended
from harness.narud import EngineUnderTest
from harness.registry import in_thread
from harness.requirements import requires
from harness.waiting import eventually

pytestmark = [requires("root"), pytest.mark.naru_only]
_LAYERS = [
    Tree().directory("etc").file("etc/one", b"1").tar(),
    Tree().file("two", os.urandom(2 << 20)).tar(),
    Tree().file("three", b"3").file("etc/three", b"3").tar(),
    Tree().file("four", b"4").tar(),
]


@dataclass(frozen=True)
class World:
    """An engine and the registry that is Docker Hub to it, and one of its own."""

    engine: EngineUnderTest
    registry: FakeRegistry


def _add(registry: FakeRegistry, repository: str, tag: str, label: str = "") -> str:
    config = image_config(_LAYERS, {"Cmd": ["sh"], "Labels": {"l": label}})
    layers = [gzip.compress(layer, 1, mtime=0) for layer in _LAYERS]
    return registry.add_image(repository, tag, config, layers)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    if os.environ.get("NARU_TEST_SOCKET"):
        pytest.skip("needs an engine of its own")
    with in_thread(FakeRegistry()) as registry:
        engine = EngineUnderTest(f"--registry-mirror=http://{registry.host}")
        try:
            engine.start_engine()
            yield World(engine, registry)
        finally:
            engine.destroy()


@pytest.fixture(
    params=[
        pytest.param("docker", marks=[requires("docker"), pytest.mark.docker_release("28")]),
        "naru",
    ]
)
def client_28(world: World, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Give docker's command, then ours; nothing is there, neither here nor in the registry."""
    yield Client(request.param, world.engine)
    world.engine.remove_all()
    world.registry.manifests.clear()
    world.registry.blobs.clear()
    world.registry.requests.clear()
    world.registry.faults.hang_after.clear()
    for image in world.engine.api("GET", "/images/json").ok(200).json():
        world.engine.api("DELETE", f"/images/{image['Id']}", query={"force": True}).ok(200)


def _short(registry: FakeRegistry, digest: str) -> list[str]:
    manifest = json.loads(registry.manifests["library/nginx", digest][0])
    return [layer["digest"][7:19] for layer in manifest["layers"]]


@pytest.mark.seed("S059")
def test_names_are_filled_up_from_the_left(client_28: Client, world: World) -> None:
    host = world.registry.host
    for repository, tag in (
        ("library/nginx", "latest"),
        ("me/app", "1.0_a-B"),
        ("a/b/c", "latest"),
    ):
        _add(world.registry, repository, tag)
    said = {
        "nginx": "docker.io/library/nginx:latest",
        "library/nginx:latest": "docker.io/library/nginx:latest",
        "docker.io/nginx": "docker.io/library/nginx:latest",
        "index.docker.io/library/nginx": "docker.io/library/nginx:latest",
        "me/app:1.0_a-B": "docker.io/me/app:1.0_a-B",
        f"{host}/me/app:1.0_a-B": f"{host}/me/app:1.0_a-B",
        f"{host}/a/b/c": f"{host}/a/b/c:latest",
    }
    for name, whole in said.items():
        assert client_28.say("pull", "-q", name) == whole
    listed = client_28.say("images", "--format", "{{.Repository}}:{{.Tag}}").splitlines()
    assert sorted(listed) == sorted(
        ["nginx:latest", "me/app:1.0_a-B", f"{host}/me/app:1.0_a-B", f"{host}/a/b/c:latest"]
    )
    for wrong, why in (
        ("Nginx", "invalid reference format: repository name (library/Nginx) must be lowercase"),
        ("nginx:-1", "invalid reference format"),
        ("a" * 256, "repository name must not be more than 255 characters"),
        ("nginx:" + "t" * 129, "invalid reference format"),
        ("ab" * 32, "cannot specify 64-byte hexadecimal strings"),
        ("nginx@sha256:abc", "invalid reference format"),
    ):
        refused = client_28("pull", wrong)
        assert refused.code == 1
        assert why in refused.err


@pytest.mark.seed("S060")
def test_pull_tells_every_step_as_docker_does(client_28: Client, world: World) -> None:
    digest = _add(world.registry, "library/nginx", "latest")
    layers = _short(world.registry, digest)
    lines = client_28.say("pull", "nginx").splitlines()
    assert lines[:2] == ["Using default tag: latest", "latest: Pulling from library/nginx"]
    assert lines[2:6] == [f"{layer}: Pulling fs layer" for layer in layers]
    assert lines[6] == f"{layers[3]}: Waiting"
    assert lines[-3:] == [
        f"Digest: {digest}",
        "Status: Downloaded newer image for nginx:latest",
        "docker.io/library/nginx:latest",
    ]
    for layer in layers:
        own = [line.partition(": ")[2] for line in lines if line.startswith(f"{layer}: ")]
        assert [step for step in own if step not in ("Pulling fs layer", "Waiting")] == [
            "Verifying Checksum",
            "Download complete",
            "Pull complete",
        ]
    complete = [line for line in lines if line.endswith("Pull complete")]
    assert complete == [f"{layer}: Pull complete" for layer in layers]
    again = client_28.say("image", "pull", "nginx:latest").splitlines()
    assert again == [
        "latest: Pulling from library/nginx",
        f"Digest: {digest}",
        "Status: Image is up to date for nginx:latest",
        "docker.io/library/nginx:latest",
    ]
    # A tag that moved: what is here stays, and is told.
    moved = _add(world.registry, "library/nginx", "latest", label="moved")
    lines = client_28.say("pull", "nginx:latest").splitlines()
    assert lines[1:5] == [f"{layer}: Already exists" for layer in layers]
    assert lines[-3:-1] == [f"Digest: {moved}", "Status: Downloaded newer image for nginx:latest"]
    by_digest = client_28.say("pull", f"nginx@{digest}").splitlines()
    assert by_digest[0] == f"docker.io/library/nginx@{digest}: Pulling from library/nginx"
    assert by_digest[-1] == f"docker.io/library/nginx@{digest}"
    both = client_28.say("pull", f"nginx:latest@{digest}").splitlines()
    assert both[-1].endswith(f"@{digest}")


@pytest.mark.seed("S060")
def test_pull_moves_bars_on_a_terminal(client_28: Client, world: World) -> None:
    digest = _add(world.registry, "library/nginx", "1")
    screen = client_28.terminal("pull", "nginx:1")
    shown, code = ended(screen)
    assert code == 0
    assert shown.startswith("1: Pulling from library/nginx\r\n")
    plain = re.sub(r"\x1b\[\d*[ABK]", "", shown)
    for layer in _short(world.registry, digest):
        assert f"{layer}: Pulling fs layer" in plain
        assert f"{layer}: Pull complete" in plain
    assert "\x1b[2K" in shown
    assert shown.endswith("docker.io/library/nginx:1\r\n")


@pytest.mark.seed("S061")
def test_all_tags_of_a_repository(client_28: Client, world: World) -> None:
    for tag in ("6", "7", "latest"):
        _add(world.registry, "library/centos", tag, label=tag)
    lines = client_28.say("image", "pull", "-a", "centos").splitlines()
    assert [line for line in lines if "Pulling from" in line] == [
        f"{tag}: Pulling from library/centos" for tag in ("6", "7", "latest")
    ]
    assert lines[-2:] == [
        "Status: Downloaded newer image for centos",
        "docker.io/library/centos",
    ]
    listed = client_28.say("images", "--format", "{{.Tag}}", "centos").splitlines()
    assert sorted(listed) == ["6", "7", "latest"]
    refused = client_28("pull", "-a", "centos:7")
    assert (refused.code, refused.err) == (1, "tag can't be used with --all-tags/-a\n")
    absent = client_28("pull", "-a", f"{world.registry.host}/nowhere")
    assert absent.code == 1
    assert "repository name not known to registry" in absent.err


@pytest.mark.seed("S062")
def test_other_registries_are_named_without_a_protocol(client_28: Client, world: World) -> None:
    host = world.registry.host
    _add(world.registry, "tensorflow/tensorflow", "latest")
    whole = f"{host}/tensorflow/tensorflow:latest"
    assert client_28.say("pull", f"{host}/tensorflow/tensorflow").splitlines()[-1] == whole
    typo = client_28("pull", "gcr.io.tensorflow/tensorflow")
    assert typo.code == 1
    # A resolver may leave the question without an answer; it must be about that host.
    assert re.search(
        r'"https://gcr\.io\.tensorflow/v2/": .*(lookup gcr\.io\.tensorflow|time)', typo.err
    )
    refused = client_28("pull", f"http://{host}/tensorflow/tensorflow")
    assert (refused.code, "invalid reference format" in refused.err) == (1, True)
    absent = client_28("pull", f"{host}/tensorflow/tensorflow:2")
    assert absent.code == 1
    assert f"manifest for {whole.replace('latest', '2')} not found" in absent.err


@pytest.mark.seed("S060")
def test_interrupted_pull_stops_and_is_resumed(client_28: Client, world: World) -> None:
    registry = world.registry
    _add(registry, "library/nginx", "latest")
    big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
    registry.faults.hang_after[big] = [1_500_000]
    data = world.engine.content_root / "content"
    process = subprocess.Popen(
        [client_28.path, "pull", "nginx"],
        env=world.engine.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def coming() -> list[int]:
        return [file.stat().st_size for file in data.glob("ingest/*/data")]

    def is_all_else_there() -> bool:
        stored = {file.name for file in data.glob("blobs/sha256/*")}
        others = {digest[7:] for digest in registry.blobs if digest != big}
        return others <= stored and [size >= 1 << 20 for size in coming()] == [True]

    eventually(is_all_else_there, "all is there but one layer, and of that a MiB")
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Downloaded newer image" not in out
    eventually(lambda: world.engine.api("GET", "/images/json").json() == [], "nothing came of it")
    (size,) = coming()
    registry.requests.clear()
    lines = client_28.say("pull", "nginx").splitlines()
    assert "Status: Downloaded newer image for nginx:latest" in lines
    fetched = {path.rpartition("/")[2]: h for _, path, h in registry.requests if "/blobs/" in path}
    assert list(fetched) == [big]
    assert fetched[big]["Range"] == f"bytes={size}-"
