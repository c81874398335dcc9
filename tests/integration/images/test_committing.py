"""Snapshots become images: layers, configs, parents; and nothing is left of what fails."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from harness.archives import Tree, docker_archive
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import ConflictError, FaultError, NotFoundError
from naru.images.catalog import Image
from naru.images.commit import NewImage, commit_snapshot
from naru.linux import mount
from naru.oci.image_config import RunDefaults
from naru.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from naru.oci.reference import Reference
from naru.store.changes import Change
from naru.store.tar_create import write_layer

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/a", b"old\n").file("etc/b", b"b\n").tar()


async def active(store: Store, script: str) -> Image:
    """Load `base`, and let a shell change the snapshot `c` on top of it."""
    await store.load(docker_archive(["base:1"], [BASE], {"Env": ["A=1"], "Cmd": ["sh"]}))
    base = store.services.catalog.resolve("base:1")
    with mount.detached(store.services.snapshots.prepare("c", base.chain_id)) as root:
        subprocess.run(["sh", "-ec", script], check=True, cwd=f"/proc/{os.getpid()}/fd/{root}")
    return base


def manifest_of(store: Store, image: Image) -> Manifest:
    manifest = parse_manifest(store.services.content.read(image.manifest_digest, MAX_MANIFEST_SIZE))
    assert isinstance(manifest, Manifest)
    return manifest


async def test_a_changed_snapshot_becomes_a_layer(store: Store) -> None:
    base = await active(store, "echo new > etc/a; rm etc/b; mkdir d; echo x > d/f")
    new = NewImage(
        parent=base,
        config=RunDefaults(cmd=("x",)),
        created_by="sh -c something",
        author="me",
        comment="words",
        created_ns=10**18,
        names=[Reference.parse("made")],
    )
    image_id = commit_snapshot(store.services, "c", new)
    image = store.services.catalog.resolve("made:latest")
    assert (image.id, image.parent_id) == (image_id, base.id)
    assert store.read("made", "etc/a") == b"new\n"
    assert store.read("made", "etc/b") is None
    assert store.read("made", "d/f") == b"x\n"
    assert image.layers[:1] == base.layers
    assert len(image.layers) == 2
    assert image.layer_sizes == (*base.layer_sizes, 6)
    config = json.loads(image.config.raw)
    assert config["history"][0] == json.loads(base.config.raw)["history"][0]
    assert config["history"][1] == {
        "created": "2001-09-09T01:46:40Z",
        "created_by": "sh -c something",
        "author": "me",
        "comment": "words",
    }
    assert (config["created"], config["author"]) == ("2001-09-09T01:46:40Z", "me")
    assert config["config"] == {"Cmd": ["x"]}
    manifest = manifest_of(store, image)
    assert [layer.digest for layer in manifest.layers] == list(image.layers)
    assert store.services.content.stat(manifest.layers[1].digest) == manifest.layers[1].size
    assert store.services.leases.leases() == []
    assert store.snapshots() == {"c", *store.services.snapshots.chain(image.chain_id)}


async def test_the_same_changes_make_the_same_image(store: Store) -> None:
    base = await active(store, "touch -d @5 x; touch -d @5 .")
    new = NewImage(parent=base, config=RunDefaults(), created_ns=5)
    first = commit_snapshot(store.services, "c", new)
    assert commit_snapshot(store.services, "c", new) == first


async def test_no_changes_make_no_layer(store: Store) -> None:
    base = await active(store, "touch .")
    for key in ("c", None):
        image_id = commit_snapshot(store.services, key, NewImage(base, RunDefaults()))
        image = store.services.catalog.get(image_id)
        assert image is not None
        assert image.layers == base.layers
        assert image.config.history[-1].empty_layer
        assert image.size == base.size


async def test_an_image_from_nothing_has_only_what_was_made(store: Store) -> None:
    with mount.detached(store.services.snapshots.prepare("s", None)) as root:
        Path(f"/proc/self/fd/{root}/f").write_text("x")
    image_id = commit_snapshot(store.services, "s", NewImage(None, RunDefaults()))
    image = store.services.catalog.get(image_id)
    assert image is not None
    assert (len(image.layers), image.parent_id, image.config.os) == (1, "", "linux")
    assert store.read(image_id, "f") == b"x"


async def test_a_parent_that_goes_meanwhile_leaves_its_layers(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = await active(store, "echo new > etc/a")

    def remove(root: int, changes: Iterable[Change], write: Callable[[bytes], object]) -> None:
        store.remove("base:1", force=True)
        write_layer(root, changes, write)

    monkeypatch.setattr("naru.images.commit.write_layer", remove)
    image_id = commit_snapshot(store.services, "c", NewImage(base, RunDefaults()))
    image = store.services.catalog.get(image_id)
    assert image is not None
    for layer in manifest_of(store, image).layers:
        assert store.services.content.stat(layer.digest) == layer.size
    assert store.read(image_id, "etc/b") == b"b\n"
    with pytest.raises(NotFoundError, match="No such image"):
        commit_snapshot(store.services, "c", NewImage(base, RunDefaults()))
    with pytest.raises(ConflictError, match="is not built on the image"):
        commit_snapshot(store.services, "c", NewImage(None, RunDefaults()))


async def test_nothing_is_left_of_what_fails(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    base = await active(store, "echo new > etc/a; mkdir d")
    before = store.footprint()
    with pytest.raises(NotFoundError):
        commit_snapshot(store.services, "none", NewImage(base, RunDefaults()))

    def fail(*_: object, **__: object) -> None:
        raise FaultError("the disk is full")

    for place in ("naru.images.commit.write_layer", "naru.images.layers.unpack.apply_at"):
        with monkeypatch.context() as patch:
            patch.setattr(place, fail)
            with pytest.raises(FaultError, match="the disk is full"):
                commit_snapshot(store.services, "c", NewImage(base, RunDefaults()))
    assert store.footprint() == before
