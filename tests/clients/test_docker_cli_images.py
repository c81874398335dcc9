"""The real docker command and images: load, import, tag, list, inspect, remove, pull."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from harness.archives import Tree, busybox_archive, busybox_layer, docker_archive, oci_archive
from harness.engine import Engine
from harness.registry import serving
from harness.requirements import requires

pytestmark = requires("docker")


@pytest.fixture
def name(engine: Engine) -> Iterator[str]:
    """Give an image name, and remove the image at the end."""
    yield "naru-test/image:one"
    engine.remove_all()
    engine.docker("rmi", "-f", "naru-test/image:one")


# An image of its own: one with the same config would be the same image under two names.
_CONFIG = {"Cmd": ["sh"], "Labels": {"kind": "image tests"}}


def _layers() -> list[bytes]:
    return [
        busybox_layer(),
        Tree().directory("d").file("d/gone", "x").file("d/kept", "lower\n").tar(),
        Tree().directory("d").file("d/.wh.gone").file("d/kept", "upper\n").tar(),
    ]


def test_a_docker_archive_is_loaded(engine: Engine, name: str, tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(docker_archive([name], _layers()))
    assert engine.docker("load", "-i", str(path)).ok().out == f"Loaded image: {name}\n"
    assert engine.docker("run", "--rm", name, "sh", "-c", "ls d; cat d/kept").ok().out == (
        "kept\nupper\n"
    )


def test_a_compressed_archive_is_loaded_from_stdin(engine: Engine, name: str) -> None:
    data = gzip.compress(docker_archive([name], [busybox_layer()], _CONFIG), 1)
    assert f"Loaded image: {name}" in engine.docker("load", stdin=data).ok().out


@pytest.mark.naru_only
@pytest.mark.parametrize(
    "compress", [lzma.compress, bz2.compress, zstandard.compress], ids=["xz", "bzip2", "zstd"]
)
def test_other_compressions_are_loaded(
    engine: Engine, name: str, compress: Callable[[bytes], bytes]
) -> None:
    packed = compress(docker_archive([name], [Tree().file("x", "y").tar()]))
    assert f"Loaded image: {name}" in engine.docker("load", stdin=packed).ok().out


@pytest.mark.naru_only
def test_an_oci_archive_is_loaded(engine: Engine, name: str) -> None:
    engine.docker("load", stdin=oci_archive(name, _layers(), {"Cmd": ["cat", "/d/kept"]})).ok()
    assert engine.docker("run", "--rm", name).ok().out == "upper\n"


def test_loading_twice_changes_nothing(engine: Engine, name: str) -> None:
    data = docker_archive([name], [busybox_layer()], _CONFIG)
    engine.docker("load", stdin=data).ok()
    first = engine.docker("images", "-q", "--no-trunc", name).ok().out
    engine.docker("load", stdin=data).ok()
    assert engine.docker("images", "-q", "--no-trunc", name).ok().out == first


def test_a_tree_is_imported_with_changes(engine: Engine, name: str, tmp_path: Path) -> None:
    path = tmp_path / "tree.tar"
    path.write_bytes(busybox_layer())
    arguments = ["-c", 'CMD ["echo", "imported"]', "-c", "ENV A=b", "-m", "why", str(path), name]
    result = engine.docker("import", *arguments).ok()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", result.out)
    assert engine.docker("run", "--rm", name).ok().out == "imported\n"
    [found] = json.loads(engine.docker("image", "inspect", name).ok().out)
    assert "A=b" in found["Config"]["Env"]
    assert found["Comment"] == "why"


def test_images_are_listed_as_docker_prints_them(engine: Engine, name: str) -> None:
    engine.load(docker_archive([name], [busybox_layer()], _CONFIG))
    lines = engine.docker("images").ok().lines()
    assert lines[0].split() == ["REPOSITORY", "TAG", "IMAGE", "ID", "CREATED", "SIZE"]
    assert any(re.match(r"naru-test/image +one +[0-9a-f]{12} .*[MkB]+$", line) for line in lines)
    result = engine.docker("images", "--format", "{{.Repository}}:{{.Tag}}", "naru-test/image")
    assert result.ok().out == f"{name}\n"
    assert engine.docker("images", "-q", "-f", "reference=naru-test/*").ok().out.count("\n") >= 1


def test_tags_share_an_image_and_the_last_takes_it_away(engine: Engine, name: str) -> None:
    engine.load(docker_archive([name], [busybox_layer()], {"Cmd": ["true"], "Labels": {"x": "1"}}))
    engine.docker("tag", name, "naru-test/image:two").ok()
    result = engine.docker("rmi", name).ok()
    assert result.out == f"Untagged: {name}\n"
    result = engine.docker("rmi", "naru-test/image:two").ok()
    assert result.out.startswith("Untagged: naru-test/image:two\nDeleted: sha256:")


def test_an_image_in_use_stays(engine: Engine, name: str) -> None:
    engine.load(docker_archive([name], [busybox_layer()], _CONFIG))
    container = engine.up(image=name)
    result = engine.docker("rmi", name)
    assert result.code == 1
    assert (
        f'conflict: unable to remove repository reference "{name}" (must force) - container '
        f"{container[:12]} is using its referenced image"
    ) in result.err


def test_an_image_that_is_not_there_is_told(engine: Engine) -> None:
    result = engine.docker("rmi", "naru-test/none")
    assert result.code == 1
    assert "No such image: naru-test/none:latest" in result.err
    result = engine.docker("tag", "naru-test/none", "naru-test/other")
    assert "No such image: naru-test/none:latest" in result.err
    result = engine.docker("run", "Naru-Test/Upper", "true")
    assert result.code == 125
    assert "repository name" in result.err
    assert "must be lowercase" in result.err


def test_history_tells_the_steps(engine: Engine, name: str) -> None:
    engine.load(docker_archive([name], _layers()))
    result = engine.docker("history", "--format", "{{.CreatedBy}}", name).ok()
    assert result.lines() == ["step 2", "step 1", "step 0"]


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive at all", busybox_archive()[:100_000], gzip.compress(b"x")],
    ids=["nothing", "text", "half", "gzip of nothing"],
)
def test_an_archive_that_is_none_leaves_nothing(engine: Engine, data: bytes) -> None:
    before = engine.docker("images", "-aq").ok().out
    answer = engine.api("POST", "/images/load", data, query={"quiet": True})
    failed = answer.status >= 400 or any("error" in item for item in answer.json_lines())
    assert failed or data == b""
    assert engine.docker("images", "-aq").ok().out == before


@pytest.fixture
def registry() -> Iterator[str]:
    """Give the address of a registry with `box:1` in it."""
    with serving({"box:1": docker_archive(["box:1"], _layers())}) as registry:
        yield registry.address


@requires("docker-registry", "skopeo")
def test_an_image_is_pulled_and_run(engine: Engine, registry: str) -> None:
    image = f"{registry}/box:1"
    try:
        result = engine.docker("pull", image).ok()
        assert f"Status: Downloaded newer image for {image}" in result.out
        assert re.search(r"^Digest: sha256:[0-9a-f]{64}$", result.out, re.MULTILINE)
        assert engine.docker("run", "--rm", image, "cat", "/d/kept").ok().out == "upper\n"
        again = engine.docker("pull", image).ok()
        assert f"Status: Image is up to date for {image}" in again.out
        [found] = json.loads(engine.docker("inspect", image).ok().out)
        assert found["RepoTags"] == [image]
        assert found["RepoDigests"][0].startswith(f"{registry}/box@sha256:")
    finally:
        engine.remove_all()
        engine.docker("rmi", "-f", image)


@requires("docker-registry", "skopeo")
def test_run_pulls_what_is_missing(engine: Engine, registry: str) -> None:
    image = f"{registry}/box:1"
    try:
        result = engine.docker("run", "--rm", image, "cat", "/d/kept")
        assert (result.code, result.out) == (0, "upper\n")
        assert f"Unable to find image '{image}' locally" in result.err
    finally:
        engine.remove_all()
        engine.docker("rmi", "-f", image)


@requires("docker-registry", "skopeo")
def test_what_the_registry_does_not_have_is_told(engine: Engine, registry: str) -> None:
    result = engine.docker("pull", f"{registry}/box:none")
    assert result.code == 1
    assert "manifest unknown" in result.err or "not found" in result.err
    result = engine.docker("run", f"{registry}/none:1")
    assert result.code == 125


@pytest.mark.parametrize("program", ["docker", "naru"])
def test_a_container_becomes_an_image(engine: Engine, name: str, program: str) -> None:
    run = engine.docker if program == "docker" else engine.naru
    run("run", "--name", "grown", "busybox", "sh", "-c", "echo hi > /f").ok()
    made = run(
        "commit", "-a", "Me", "-m", "words", "-c", "CMD cat /f", "-p=false", "grown", name
    ).ok()
    assert re.fullmatch(r"sha256:[0-9a-f]{64}\n", made.out)
    assert run("run", "--rm", name).ok().out == "hi\n"
    form = "{{.Author}} {{.Comment}} {{json .Config.Cmd}}"
    shown = run("inspect", "-f", form, name).ok().out
    assert shown == 'Me words ["/bin/sh","-c","cat /f"]\n'
    first = run("history", "--format", "{{.CreatedBy}}|{{.Comment}}", name).ok().lines()[0]
    assert first == "sh -c echo hi > /f|words"
