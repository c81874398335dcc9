"""Archives of images: read by others as by ourselves, and by nobody in part."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.archives import Tree, docker_archive, members, oci_archive
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import CorruptDataError, InvalidInputError, NaruError, NotFoundError
from naru.images.commit import NewImage, commit_snapshot
from naru.images.save import choose_images, save
from naru.oci.digest import digest_bytes
from naru.oci.image_config import RunDefaults
from naru.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from naru.oci.platform import Platform
from naru.oci.reference import Reference

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").tar()
UPPER = Tree().file("etc/upper", b"upper\n" * 1000).tar()
LAYERS = [BASE, UPPER]


def saved(store: Store, *names: str, platform: Platform | None = None) -> bytes:
    pieces: list[bytes] = []
    chosen = choose_images(store.services.catalog, names, platform)
    save(store.services, chosen, pieces.append)
    assert store.services.leases.leases() == []
    return b"".join(pieces)


def contents(archive: bytes) -> dict[str, bytes]:
    found = members(archive)
    assert {info.mtime for info, _ in found} == {0}
    return {info.name: content for info, content in found}


def document(archive: bytes, name: str) -> Any:
    return json.loads(contents(archive)[name])


@pytest.fixture
def other(make_store: Callable[..., Store]) -> Store:
    return make_store()


@pytest.mark.parametrize("form", ["docker", "oci"])
async def test_a_saved_image_comes_back_as_it_was(store: Store, other: Store, form: str) -> None:
    make = docker_archive(["x:1"], LAYERS) if form == "docker" else oci_archive("x:1", LAYERS)
    await store.load(make)
    before = store.services.catalog.resolve("x:1")
    archive = saved(store, "x:1")
    assert await other.load(archive) == ["x:1"]
    after = other.services.catalog.resolve("x:1")
    assert (after.id, after.layers, after.repo_tags) == (before.id, before.layers, before.repo_tags)
    assert other.read("x:1", "etc/upper") == b"upper\n" * 1000
    assert saved(other, "x:1") == archive
    assert (after.manifest_digest == before.manifest_digest) == (form == "docker")
    store.remove("x:1")
    assert store.blobs() == set()
    await store.load(archive)
    assert store.services.catalog.resolve("x:1").id == before.id


@pytest.mark.parametrize("form", ["docker", "oci"])
async def test_a_damaged_layer_is_told(store: Store, form: str) -> None:
    """An archive with other bytes would be found out when it is needed."""
    make = docker_archive(["x:1"], LAYERS) if form == "docker" else oci_archive("x:1", LAYERS)
    await store.load(make)
    content = store.services.content
    image = store.services.catalog.resolve("x:1")
    manifest = parse_manifest(content.read(image.manifest_digest, MAX_MANIFEST_SIZE))
    assert isinstance(manifest, Manifest)
    digest = manifest.layers[-1].digest
    rotten = UPPER.replace(b"upper\n", b"rotten", 1)
    content.path(digest).write_bytes(rotten if form == "docker" else gzip.compress(rotten))
    with pytest.raises(CorruptDataError, match=f"content {digest}"):
        saved(store, "x:1")


async def test_an_archive_is_dockers_and_ocis_at_once(store: Store) -> None:
    await store.load(oci_archive("sub/x:1", LAYERS))
    image = store.services.catalog.resolve("sub/x:1")
    found = contents(saved(store, "sub/x:1"))
    config, base, upper = (
        f"blobs/sha256/{digest.removeprefix('sha256:')}" for digest in (image.id, *image.layers)
    )
    assert found[base] == BASE
    assert found[upper] == UPPER
    assert found[config] == image.config.raw
    (item,) = json.loads(found["manifest.json"])
    assert item["Config"] == config
    assert item["RepoTags"] == ["sub/x:1"]
    assert item["Layers"] == [base, upper]
    assert item["LayerSources"][image.layers[0]] == {
        "mediaType": "application/vnd.oci.image.layer.v1.tar",
        "digest": image.layers[0],
        "size": len(BASE),
    }
    (entry,) = json.loads(found["index.json"])["manifests"]
    assert entry["annotations"] == {
        "io.containerd.image.name": "docker.io/sub/x:1",
        "org.opencontainers.image.ref.name": "1",
    }
    raw = found[f"blobs/sha256/{entry['digest'].removeprefix('sha256:')}"]
    assert (digest_bytes(raw), len(raw)) == (entry["digest"], entry["size"])
    manifest = json.loads(raw)
    assert manifest["config"]["digest"] == image.id
    assert [layer["digest"] for layer in manifest["layers"]] == list(image.layers)
    assert json.loads(found["repositories"]) == {"sub/x": {"1": upper.rpartition("/")[2]}}
    assert json.loads(found["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}


async def test_what_a_name_means_when_saving(store: Store) -> None:
    await store.load(docker_archive(["x:1", "x:2", "y:1"], LAYERS))
    image = store.services.catalog.resolve("x:1")

    def tags(*names: str) -> list[list[str] | None]:
        return [item["RepoTags"] for item in document(saved(store, *names), "manifest.json")]

    assert tags("x:1") == [["x:1"]]
    assert tags("x") == [["x:1", "x:2"]]
    assert tags("y", "x:2", "docker.io/library/y:1") == [["y:1", "x:2"]]
    by_id = (image.id, image.id.removeprefix("sha256:"), image.id[7:19], image.id[:20])
    for name in by_id:
        assert tags(name) == [None]
    assert tags(image.id[7:19], "x:1") == [["x:1"]]
    assert tags() == []


async def test_layers_that_images_share_are_in_once(store: Store) -> None:
    await store.load(docker_archive(["x:1"], LAYERS))
    await store.load(docker_archive(["y:1"], [BASE]))
    archive = saved(store, "x", "y")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        names = tar.getnames()
    assert len(names) == len(set(names))
    assert [item["RepoTags"] for item in document(archive, "manifest.json")] == [["x:1"], ["y:1"]]


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("nope", NotFoundError, "No such image: nope"),
        ("nope:1", NotFoundError, "reference does not exist"),
        (f"sha256:{'0' * 64}", NotFoundError, f"No such image: sha256:{'0' * 64}"),
        ("sha256:00", NotFoundError, "No such image: sha256:00"),
        (f"x@sha256:{'0' * 64}", NotFoundError, "reference does not exist"),
        ("UP", InvalidInputError, "must be lowercase"),
        ("", InvalidInputError, "invalid reference format"),
    ],
)
async def test_what_is_not_there_cannot_be_saved(
    store: Store, name: str, kind: type[NaruError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        choose_images(store.services.catalog, [name])


async def test_another_platform_cannot_be_saved(store: Store) -> None:
    await store.load(docker_archive(["x:1"], LAYERS))
    for name in ("x:1", "x"):
        with pytest.raises(NotFoundError, match="does not match the specified platform"):
            saved(store, name, platform=Platform(os="linux", architecture="s390x"))
    assert saved(store, "x:1", platform=Platform(os="linux", architecture="amd64"))


async def test_a_damaged_image_is_refused_before_the_first_byte(store: Store) -> None:
    await store.load(oci_archive("x:1", LAYERS))
    image = store.services.catalog.resolve("x:1")
    store.services.content.delete(digest_bytes(gzip.compress(UPPER, 1, mtime=0)))

    def write(_: bytes) -> None:
        pytest.fail("was written")

    chosen = choose_images(store.services.catalog, [image.id])
    with pytest.raises(CorruptDataError, match="is not in the store"):
        save(store.services, chosen, write)


async def test_an_image_may_be_removed_while_it_is_saved(store: Store, other: Store) -> None:
    big = Tree().file("big", bytes(4 << 20)).tar()
    await store.load(docker_archive(["x:1"], [big, BASE]))
    pieces: list[bytes] = []

    def write(piece: bytes) -> None:
        if not pieces:
            store.remove("x:1")
        pieces.append(piece)

    save(store.services, choose_images(store.services.catalog, ["x:1"]), write)
    assert len(pieces) > 3
    store.services.garbage.collect()
    assert store.blobs() == set()
    assert await other.load(b"".join(pieces)) == ["x:1"]


async def test_parents_are_parents_again(store: Store, other: Store) -> None:
    await store.load(docker_archive(["base:1"], [BASE]))
    base = store.services.catalog.resolve("base:1")
    new = NewImage(base, RunDefaults(user="me"), names=[Reference.parse("top:1")])
    top = commit_snapshot(store.services, None, new)
    await other.load(saved(store, "top:1"))
    assert other.services.catalog.resolve("top:1").parent_id == ""
    other.remove("top:1")
    await other.load(saved(store, "top:1", "base:1"))
    assert other.services.catalog.resolve("top:1").parent_id == base.id
    assert other.services.catalog.children(base.id) == [top]
    forged = saved(store, "top:1", "base:1").replace(base.id.encode(), top.encode())
    assert await other.load(forged)
    assert other.services.catalog.resolve("base:1").parent_id == ""


async def test_only_the_wanted_platform_is_loaded(store: Store, other: Store) -> None:
    await store.load(docker_archive(["x:1"], LAYERS))
    archive = saved(store, "x:1")
    with pytest.raises(NotFoundError, match=r"requested platform \(linux/s390x\) not found"):
        await other.load(archive, platform=Platform(os="linux", architecture="s390x"))
    assert other.blobs() == set()
    assert await other.load(archive, platform=Platform(os="linux", architecture="amd64"))


@requires("skopeo")
async def test_skopeo_reads_both_sides_of_an_archive(store: Store, tmp_path: Path) -> None:
    await store.load(oci_archive("x:1", LAYERS))
    image = store.services.catalog.resolve("x:1")
    path = tmp_path / "x.tar"
    path.write_bytes(saved(store, "x:1"))
    for source in (f"docker-archive:{path}", f"oci-archive:{path}"):
        argv = ["skopeo", "inspect", "--raw", source]
        done = subprocess.run(argv, capture_output=True, check=True)
        assert image.id in done.stdout.decode()
        copied = tmp_path / f"copy-{source.partition(':')[0]}"
        subprocess.run(["skopeo", "copy", "-q", source, f"dir:{copied}"], check=True)
        assert (copied / image.id.removeprefix("sha256:")).read_bytes() == image.config.raw


async def test_a_damaged_archive_of_ours_changes_nothing(store: Store, other: Store) -> None:
    await store.load(docker_archive(["x:1"], LAYERS))
    archive = saved(store, "x:1")
    await other.load(docker_archive(["x:1"], [BASE]))
    before = other.footprint()
    layer = archive.index(b"upper\n")
    config = archive.index(b'"created_by"')
    broken = [archive[:end] for end in (100, 600, len(archive) // 2, layer, len(archive) - 1100)]
    broken += [
        archive[:place] + bytes([archive[place] ^ 1]) + archive[place + 1 :]
        for place in (layer, config)
    ]
    for data in broken:
        with pytest.raises(NaruError):
            await other.load(data)
        assert other.footprint() == before
