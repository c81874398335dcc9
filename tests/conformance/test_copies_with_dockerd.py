"""`image copy` between our engine and a real dockerd, which knows nothing of it."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import dockerd
from harness.archives import Tree, busybox_layer, docker_archive, oci_archive
from harness.engine import Engine
from harness.requirements import requires
from harness.wiretap import Wiretap

pytestmark = [requires("root", "dockerd"), pytest.mark.dockerd_release("20.10")]

BIG = Tree().file("big", random.Random(1).randbytes(2 << 20)).tar()
TOP = Tree().file("top", random.Random(2).randbytes(1 << 20)).tar()
_DOCUMENTS = 30_000


@pytest.fixture(scope="module")
def docker() -> Iterator[Engine]:
    with dockerd.running() as other:
        yield other


@pytest.fixture
def tap(docker: Engine, tmp_path: Path) -> Iterator[Wiretap]:
    tap = Wiretap(tmp_path / "tap.sock", docker.socket)
    yield tap
    tap.close()


@pytest.fixture(autouse=True)
def cleared(engine: Engine, docker: Engine) -> Iterator[None]:
    yield
    for each in (engine, docker):
        for tag in each.docker("images", "--format", "{{.Repository}}:{{.Tag}}").ok().lines():
            if tag.startswith("copied/"):
                each.docker("rmi", tag).ok()


def test_to_dockerd_goes_only_what_it_lacks(engine: Engine, docker: Engine, tap: Wiretap) -> None:
    for each in (engine, docker):
        each.load(docker_archive(["copied/base:1"], [busybox_layer(), BIG]))
    engine.load(docker_archive(["copied/app:1"], [busybox_layer(), BIG, TOP]))
    done = engine.naru("image", "copy", "copied/app:1", tap.url).ok()
    assert "Status: Sent 1 of 3 layers (1.05MB)" in done.lines()
    assert len(TOP) < tap.take()[0] < len(TOP) + _DOCUMENTS
    # It makes manifests of its own.
    assert "Digest: " not in done.out
    assert docker.image_id("copied/app:1") == engine.image_id("copied/app:1")
    # Every layer is whole there: it can be saved, and read again.
    saved = docker.docker("save", "copied/app:1").ok()
    assert len(saved.out) > len(TOP) // 2
    # The same layers in another order are other layers to it.
    engine.load(docker_archive(["copied/turned:1"], [BIG, busybox_layer(), TOP]))
    done = engine.naru("image", "copy", "copied/turned:1", tap.url).ok()
    assert "Status: Sent 3 of 3 layers (5.28MB)" in done.lines()
    assert docker.image_id("copied/turned:1") == engine.image_id("copied/turned:1")


def test_compressed_layers_go_as_they_are(engine: Engine, docker: Engine, tap: Wiretap) -> None:
    engine.load(oci_archive("copied/zipped:1", [busybox_layer(), TOP]))
    engine.naru("image", "copy", "copied/zipped:1", f"{tap.url}#copied/other:2").ok()
    packed = sum(len(gzip.compress(layer, 1, mtime=0)) for layer in (busybox_layer(), TOP))
    assert packed < tap.take()[0] < packed + _DOCUMENTS
    assert docker.image_id("copied/other:2") == engine.image_id("copied/zipped:1")


def test_from_dockerd_to_us_and_to_files(
    engine: Engine, docker: Engine, tap: Wiretap, tmp_path: Path
) -> None:
    engine.load(docker_archive(["copied/base:1"], [busybox_layer()]))
    docker.load(docker_archive(["copied/app:1", "copied/app:2"], [busybox_layer(), BIG, TOP, BIG]))
    near = Wiretap(tmp_path / "near.sock", engine.socket)
    try:
        done = docker.naru("image", "copy", "copied/app:2", f"{near.url}#copied/mine").ok()
    finally:
        near.close()
    # The layer that the image has twice goes once.
    assert "Status: Sent 2 of 3 layers (3.15MB)" in done.lines()
    assert near.take()[0] < len(BIG) + len(TOP) + _DOCUMENTS
    assert engine.image_id("copied/mine:latest") == docker.image_id("copied/app:2")
    layout = tmp_path / "layout"
    docker.naru("image", "copy", "copied/app:2", f"oci:{layout}:x").ok()
    shown = subprocess.run(
        ["skopeo", "inspect", f"oci:{layout}:x"], check=True, capture_output=True
    )
    layers = [f"sha256:{hashlib.sha256(layer).hexdigest()}" for layer in (BIG, TOP, BIG)]
    assert json.loads(shown.stdout)["Layers"][1:] == layers
    # And back, by way of the layout.
    docker.docker("rmi", "copied/app:1", "copied/app:2").ok()
    engine.naru("image", "copy", f"oci:{layout}:x", f"{tap.url}#copied/app:3").ok()
    assert docker.image_id("copied/app:3") == engine.image_id("copied/mine:latest")


def test_our_archives_are_what_dockerd_loads(
    engine: Engine, docker: Engine, tmp_path: Path
) -> None:
    engine.load(oci_archive("copied/app:1", [busybox_layer(), TOP]))
    archive = tmp_path / "app.tar"
    engine.naru("image", "copy", "copied/app:1", f"docker-archive:{archive}:copied/new:9").ok()
    loaded = docker.docker("load", "-i", str(archive)).ok()
    assert loaded.out.endswith("Loaded image: copied/new:9\n")
    saved = tmp_path / "saved.tar"
    docker.docker("save", "-o", str(saved), "copied/new:9").ok()
    engine.naru("image", "copy", f"docker-archive:{saved}", "engine:").ok()
    assert engine.image_id("copied/new:9") == engine.image_id("copied/app:1")


def test_a_cut_leaves_dockerd_as_it_was(engine: Engine, docker: Engine, tap: Wiretap) -> None:
    tap.cut_after = 100_000
    engine.load(docker_archive(["copied/app:1"], [busybox_layer(), TOP]))
    cut = engine.naru("image", "copy", "copied/app:1", tap.url)
    assert (cut.code, cut.err.startswith(f"{tap.url}: ")) == (1, True)
    assert not docker.has_image("copied/app:1")
