"""Archives as other tools write them: BuildKit, containerd, podman, skopeo, and Docker of all ages."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from harness.archives import Layout, Tree, docker_archive, image_config, members, named
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import InvalidInputError, NaruError, NotFoundError
from naru.oci.platform import Platform

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").file("gone", b"x").tar()
UPPER = Tree().file("etc/upper", b"upper\n").file(".wh.gone").tar()
LAYERS = [BASE, UPPER]
ARM = Platform(os="linux", architecture="arm64")
_INDEX, _MANIFEST = "index", "manifest"


def attestation(layout: Layout, subject: dict[str, Any]) -> dict[str, Any]:
    """Add what BuildKit puts beside an image: a statement about it, dressed as a manifest."""
    statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicate": {"builder": {}}}
    config = {"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers"}}
    manifest = layout.document(
        {
            "config": layout.blob(
                json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"
            ),
            "layers": [layout.blob(json.dumps(statement).encode(), "application/vnd.in-toto+json")],
        },
        _MANIFEST,
    )
    manifest["platform"] = {"architecture": "unknown", "os": "unknown"}
    manifest["annotations"] = {
        "vnd.docker.reference.digest": subject["digest"],
        "vnd.docker.reference.type": "attestation-manifest",
    }
    return manifest


def built(layout: Layout, *architectures: str) -> dict[str, Any]:
    """Add an index of one image for several platforms, each with its attestation."""
    entries = []
    for architecture in architectures:
        image = layout.image(LAYERS, {"Env": [f"ARCH={architecture}"]}, architecture)
        image["platform"] = {"architecture": architecture, "os": "linux"}
        entries += [image, attestation(layout, image)]
    return layout.document({"manifests": entries}, _INDEX)


def loaded_env(store: Store, name: str) -> tuple[str, ...] | None:
    assert store.read(name, "etc/upper") == b"upper\n"
    assert store.read(name, "gone") is None
    return store.services.catalog.resolve(name).config.config.env


async def test_a_layout_of_buildkit_has_attestations_that_are_no_images(store: Store) -> None:
    layout = Layout()
    archive = layout.tar(named(built(layout, "amd64"), "built:1"))
    assert await store.load(archive) == ["built:1"]
    assert loaded_env(store, "built:1") == ("ARCH=amd64",)
    assert len(store.services.rows.all()) == 1


async def test_an_image_for_many_platforms_loads_for_this_one_or_the_wanted(store: Store) -> None:
    layout = Layout()
    archive = layout.tar(named(built(layout, "arm64", "amd64", "riscv64"), "built:1"))
    await store.load(archive)
    assert loaded_env(store, "built:1") == ("ARCH=amd64",)
    assert await store.load(archive, platform=ARM) == ["built:1"]
    assert loaded_env(store, "built:1") == ("ARCH=arm64",)
    single = Layout()
    await store.load(single.tar(named(built(single, "arm64"), "arm:1")))
    assert loaded_env(store, "arm:1") == ("ARCH=arm64",)
    before = store.footprint()
    with pytest.raises(NotFoundError, match="linux/s390x"):
        await store.load(archive, platform=Platform(os="linux", architecture="s390x"))
    assert store.footprint() == before


async def test_a_manifest_names_one_platform_and_the_layout_has_the_others(store: Store) -> None:
    layout = Layout()
    index = built(layout, "amd64", "arm64")
    members = {info.name: data for info, data in layout.tree.entries}
    layers = [hashlib.sha256(gzip.compress(layer, 1, mtime=0)).hexdigest() for layer in LAYERS]
    config = hashlib.sha256(image_config(LAYERS, {"Env": ["ARCH=amd64"]})).hexdigest()
    assert f"blobs/sha256/{config}" in members
    item = {
        "Config": f"blobs/sha256/{config}",
        "RepoTags": ["built:1"],
        "Layers": [f"blobs/sha256/{digest}" for digest in layers],
    }
    layout.tree.file("manifest.json", json.dumps([item]))
    archive = layout.tar(named(index, "built:1"))
    await store.load(archive)
    assert loaded_env(store, "built:1") == ("ARCH=amd64",)
    await store.load(archive, platform=ARM)
    assert loaded_env(store, "built:1") == ("ARCH=arm64",)


async def test_signatures_and_artifacts_beside_an_image_are_passed_over(store: Store) -> None:
    layout = Layout()
    image = layout.image(LAYERS, {})
    empty = layout.blob(b"{}", "application/vnd.oci.empty.v1+json")
    artifact = layout.document({"config": empty, "layers": [empty]}, _MANIFEST)
    entries = [attestation(layout, image), artifact, {**artifact, "artifactType": "x/y"}]
    archive = layout.tar(*entries, image)
    (image_id,) = await store.load(archive)
    assert store.services.catalog.resolve(image_id).repo_tags == ()
    without = Layout()
    only = without.tar(attestation(without, without.image(LAYERS, {})))
    with pytest.raises(InvalidInputError, match="names no image"):
        await store.load(only)


async def test_a_statement_too_large_to_keep_is_passed_over(store: Store) -> None:
    layout = Layout()
    image = layout.image(LAYERS, {})
    huge = layout.blob(b'{"sbom": "' + bytes(17 << 20) + b'"}', "application/vnd.in-toto+json")
    assert await store.load(layout.tar(named(image, "x:1"))) == ["x:1"]
    needs = layout.document(
        {"config": {**huge, "mediaType": image["mediaType"].replace("manifest", "config")}},
        _MANIFEST,
    )
    before = store.footprint()
    with pytest.raises(InvalidInputError, match=r"a document of 178\d+ bytes, at most"):
        await store.load(layout.tar(needs))
    assert store.footprint() == before


def _reversed(archive: bytes) -> bytes:
    return Tree(members(archive)[::-1]).tar()


def _layout_archive() -> bytes:
    layout = Layout()
    return layout.tar(named(built(layout, "amd64"), "x:1"))


@pytest.mark.parametrize("make", [lambda: docker_archive(["x:1"], LAYERS), _layout_archive])
async def test_the_order_of_members_does_not_matter(
    store: Store, make_store: Callable[..., Store], make: Callable[[], bytes]
) -> None:
    archive = make()
    other = make_store()
    assert await store.load(archive) == await other.load(_reversed(archive)) == ["x:1"]
    assert other.read("x:1", "etc/upper") == b"upper\n"
    assert other.blobs() == store.blobs()
    assert other.snapshots() == store.snapshots()


async def test_members_that_nothing_names_are_left_out(store: Store) -> None:
    tree = Tree().file("README", b"no tar, no document\n" * 200).file("etc/x.json", b'{"a": 1}')
    tree.file("leftover/layer.tar", Tree().file("leftover", b"x").tar())
    tree.entries += members(docker_archive(["x:1"], LAYERS))
    tree.symlink("passwd", "/etc/passwd").symlink("up", "../../../etc/passwd")
    assert await store.load(tree.tar()) == ["x:1"]
    assert len(store.blobs()) == 4
    assert len(store.snapshots()) == 2
    assert store.read("x:1", "leftover") is None


async def test_links_between_members_lead_within_the_archive_only(store: Store) -> None:
    before = store.footprint()
    for target in ("/etc/passwd", "../../../../../../etc/passwd", "loop", "manifest.json"):
        manifest = [{"Config": "loop", "RepoTags": ["x:1"], "Layers": []}]
        tree = Tree().symlink("loop", target).file("manifest.json", json.dumps(manifest))
        with pytest.raises(Exception, match=r"open loop: |config"):
            await store.load(tree.tar())
        hard = Tree().hardlink("loop", target).file("manifest.json", json.dumps(manifest))
        with pytest.raises(Exception, match=r"open loop: |config"):
            await store.load(hard.tar())
    assert store.footprint() == before


async def test_of_members_with_one_name_the_last_counts(store: Store) -> None:
    document = image_config([BASE], {})
    digest = hashlib.sha256(document).hexdigest()
    manifest = [{"Config": f"{digest}.json", "RepoTags": ["x:1"], "Layers": ["l/layer.tar"]}]
    tree = Tree().file("l/layer.tar", UPPER).symlink(f"{digest}.json", "nowhere")
    tree.file("manifest.json", b"[]").file("l/layer.tar", BASE).file(f"{digest}.json", document)
    tree.file("./manifest.json", json.dumps(manifest))
    assert await store.load(tree.tar()) == ["x:1"]
    assert store.read("x:1", "etc/base") == b"base\n"


async def test_progress_tells_how_far_each_layer_is(store: Store) -> None:
    big = Tree().file("big", bytes(3 << 20)).tar()
    await store.load(docker_archive(["x:1"], [big, UPPER]), quiet=False)
    layers = [record for record in store.records if record.get("status") == "Loading layer"]
    moved = [
        (record["id"], record["progressDetail"]["current"], record["progressDetail"]["total"])
        for record in layers
    ]
    for layer in (big, UPPER):
        name, size = hashlib.sha256(layer).hexdigest()[:12], len(layer)
        steps = [step for step in moved if step[0] == name]
        assert steps[-1] == (name, size, size)
        assert steps == sorted(steps)
    assert layers[-1]["progress"].startswith("[=====")
    assert store.records[-1] == {"stream": "Loaded image: x:1\n"}


def _before_1_10(
    names: dict[str, dict[str, str]], parents: dict[str, str], layers: dict[str, bytes]
) -> bytes:
    """Return an archive as Docker wrote them then: a folder for each layer, and names."""
    tree = Tree()
    for layer_id, parent in parents.items():
        config = {
            "id": layer_id,
            "parent": parent,
            "created": "2015-01-02T03:04:05.000000006Z",
            "container_config": {"Cmd": ["/bin/sh", "-c", f"make {layer_id}"]},
            "author": "A & B",
            "docker_version": "1.9.1",
            "config": {"Cmd": ["sh"], "Env": [f"TOP={layer_id}"]},
            "architecture": "amd64",
            "os": "linux",
            "Size": 5,
        }
        document = json.dumps({key: value for key, value in config.items() if value})
        tree.directory(layer_id).file(f"{layer_id}/VERSION", b"1.0")
        tree.file(f"{layer_id}/json", document)
        if layer_id in layers:
            tree.file(f"{layer_id}/layer.tar", layers[layer_id])
    return tree.file("repositories", json.dumps(names)).tar()


async def test_an_archive_of_before_docker_1_10_becomes_an_image_of_today(store: Store) -> None:
    archive = _before_1_10(
        {"old/x": {"1": "bb", "2": "bb"}, "old/y": {"1": "aa"}},
        {"bb": "aa", "aa": ""},
        {"aa": BASE, "bb": UPPER},
    )
    assert await store.load(archive) == ["old/x:1", "old/x:2", "old/y:1"]
    assert loaded_env(store, "old/x:1") == ("TOP=bb",)
    config = store.services.catalog.resolve("old/x:2").config
    assert [step.created_by for step in config.history] == [
        "/bin/sh -c make aa",
        "/bin/sh -c make bb",
    ]
    document = json.loads(config.raw)
    assert list(document) == sorted(document)
    assert not {"id", "parent", "Size"} & document.keys()
    assert document["docker_version"] == "1.9.1"
    assert len(store.snapshots()) == 2


@pytest.mark.parametrize(
    ("names", "parents", "layers", "words"),
    [
        ({}, {"aa": ""}, {"aa": BASE}, "repositories names no image"),
        ({"x": {"1": "bb"}}, {"aa": ""}, {"aa": BASE}, "open bb/json: no such file"),
        ({"x": {"1": "aa"}}, {"aa": ""}, {}, "open aa/layer.tar: no such file"),
        ({"x": {"1": "aa"}}, {"aa": "aa"}, {"aa": BASE}, "more than 500 layers, or a circle"),
        ({"x": {"1": "aa"}}, {"aa": ""}, {"aa": gzip.compress(b"no tar" * 99)}, "compressed"),
        ({"-": {"1": "aa"}}, {"aa": ""}, {"aa": BASE}, "invalid reference"),
    ],
)
async def test_an_old_archive_that_is_not_whole_is_refused_in_words(
    store: Store,
    names: dict[str, dict[str, str]],
    parents: dict[str, str],
    layers: dict[str, bytes],
    words: str,
) -> None:
    before = store.footprint()
    with pytest.raises(NaruError, match=words):
        await store.load(_before_1_10(names, parents, layers))
    assert store.footprint() == before
