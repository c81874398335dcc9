"""Loading archives into a real store: every shape, every damage, and nothing left behind."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import hashlib
import json
import lzma
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from harness.archives import Tree, docker_archive, image_config, members, oci_archive
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import CorruptDataError, InvalidInputError, NaruError
from naru.images.layers import unpack
from naru.images.load import load
from naru.images.removal import ImageUser
from naru.linux.fs import tree_size
from naru.oci.image_config import chain_ids

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").file("gone", b"x").tar()
UPPER = Tree().file("etc/upper", b"upper\n").file(".wh.gone").tar()
TOP = Tree().file("etc/base", b"changed\n").tar()
BIG = Tree().file("big", bytes(range(256)) * 20_000).tar()


def rewritten(archive: bytes, change: Callable[[str, bytes], bytes | None]) -> bytes:
    """Return an archive with members changed, or left out where `change` gives None."""
    tree = Tree()
    for info, data in members(archive):
        new = change(info.name, data) if info.isfile() else data
        if new is not None:
            info.size = len(new) if info.isfile() else 0
            tree.entries.append((info, new))
    return tree.tar()


def with_manifest(archive: bytes, change: Callable[[list[dict[str, Any]]], object]) -> bytes:
    def edit(name: str, data: bytes) -> bytes:
        if name != "manifest.json":
            return data
        document = json.loads(data)
        change(document)
        return json.dumps(document).encode()

    return rewritten(archive, edit)


SIZES = {
    "links": Tree().file("a", b"12345").hardlink("b", "a").symlink("c", "a/b").directory("d"),
    "replaced": Tree().file("a", b"12345").file("a", b"123").directory("d").file("d/x", b"1"),
    "removed": Tree().directory("d").file("d/x", b"12345").file("d", b"1"),
}


@pytest.mark.parametrize("large", [-1, 1 << 30], ids=["apart", "here"])
@pytest.mark.parametrize("upper", SIZES)
async def test_sizes_are_those_on_disk_whether_they_are_measured_or_known(
    store: Store, monkeypatch: pytest.MonkeyPatch, upper: str, large: int
) -> None:
    monkeypatch.setattr(unpack, "LARGE", large)
    await store.load(docker_archive(["x:1"], [BASE, SIZES[upper].tar(), UPPER]))
    image = store.services.catalog.resolve("x:1")
    for chain_id, size in zip(chain_ids(image.layers), image.layer_sizes, strict=True):
        info = store.services.snapshots.stat(chain_id)
        assert info is not None
        assert size == tree_size(store.root / "snapshots" / str(info.number) / "fs") > 0


@pytest.mark.parametrize("chunk", [1000, 65536, 1 << 22])
async def test_a_saved_image_loads_with_all_its_names(store: Store, chunk: int) -> None:
    archive = docker_archive(["x:1", "reg.lan/y:2"], [BASE, UPPER, TOP])
    assert await store.load(archive, chunk=chunk) == ["x:1", "reg.lan/y:2"]
    assert store.records == [
        {"stream": "Loaded image: x:1\n"},
        {"stream": "Loaded image: reg.lan/y:2\n"},
    ]
    assert store.read("x:1", "etc/base") == b"changed\n"
    assert store.read("x:1", "etc/upper") == b"upper\n"
    assert store.read("x:1", "gone") is None
    image = store.services.catalog.resolve("x:1")
    config = image_config([BASE, UPPER, TOP], {"Cmd": ["sh"]})
    assert image.id == f"sha256:{hashlib.sha256(config).hexdigest()}"
    assert image.layer_sizes == (6, 6, 8)
    assert store.services.leases.leases() == []
    assert store.services.content.ingests() == []


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress]
)
async def test_a_compressed_archive_loads_like_a_plain_one(
    store: Store, compress: Callable[[bytes], bytes]
) -> None:
    await store.load(compress(docker_archive(["x:1"], [BASE, UPPER])))
    assert store.read("x:1", "etc/upper") == b"upper\n"


async def test_an_image_without_name_is_told_by_its_id(store: Store) -> None:
    archive = with_manifest(docker_archive([], [BASE]), lambda d: d[0].update(RepoTags=None))
    (image_id,) = await store.load(archive)
    assert image_id.startswith("sha256:")
    assert store.records == [{"stream": f"Loaded image ID: {image_id}\n"}]
    assert store.services.catalog.resolve(image_id).repo_tags == ()


async def test_layers_are_reported_unless_quiet(store: Store) -> None:
    await store.load(docker_archive(["x:1"], [BASE, UPPER]), quiet=False)
    layers = [record for record in store.records if record.get("status") == "Loading layer"]
    assert [record["id"] for record in layers] == [
        hashlib.sha256(layer).hexdigest()[:12] for layer in (BASE, UPPER)
    ]


async def test_layout_keeps_its_manifest_and_compressed_layers(store: Store) -> None:
    archive = oci_archive("naru/x:1", [BASE, UPPER])
    assert await store.load(archive) == ["naru/x:1"]
    names = {f"sha256:{info.name.rpartition('/')[2]}" for info, _ in members(archive)}
    image = store.services.catalog.resolve("naru/x:1")
    assert image.manifest_digest in names
    assert store.blobs() < names
    assert store.read("naru/x:1", "etc/upper") == b"upper\n"


async def test_archive_of_newer_dockers_with_a_layout_inside(store: Store) -> None:
    layout = members(oci_archive("x:1", [BASE, UPPER]))
    tree = Tree()
    tree.entries += layout
    config = image_config([BASE, UPPER], {})
    manifest = next(
        json.loads(data) for _, data in layout if data.startswith(b"{") and b'"layers": [' in data
    )
    saved = [
        {
            "Config": f"blobs/sha256/{hashlib.sha256(config).hexdigest()}",
            "RepoTags": ["x:1"],
            "Layers": [f"blobs/sha256/{e['digest'][7:]}" for e in manifest["layers"]],
        }
    ]
    tree.file("manifest.json", json.dumps(saved))
    await store.load(tree.tar())
    image = store.services.catalog.resolve("x:1")
    raw = store.services.content.read(image.manifest_digest, 1 << 20)
    assert json.loads(raw)["layers"] == manifest["layers"]
    assert store.read("x:1", "etc/upper") == b"upper\n"


async def test_legacy_archive_that_links_equal_layers(store: Store) -> None:
    plain = docker_archive(["x:1"], [BASE, UPPER])
    folder = hashlib.sha256(BASE).hexdigest()
    tree = Tree()
    tree.entries += members(plain)[:-1]
    tree.symlink("copy/layer.tar", f"../{folder}/layer.tar")
    tree.entries.append(members(plain)[-1])
    archive = with_manifest(tree.tar(), lambda d: d[0]["Layers"].__setitem__(0, "copy/layer.tar"))
    await store.load(archive)
    assert store.read("x:1", "etc/base") == b"base\n"


async def test_several_images_share_their_layers(store: Store) -> None:
    await store.load(docker_archive(["x:1"], [BASE, UPPER]))
    before = store.snapshots()
    await store.load(docker_archive(["y:1"], [BASE, TOP]))
    assert len(store.snapshots() - before) == 1


async def test_loading_again_changes_nothing_but_names(store: Store) -> None:
    archive = docker_archive(["x:1"], [BASE, UPPER])
    await store.load(archive)
    before = store.footprint()
    await store.load(archive)
    after = store.footprint()
    assert {k: v for k, v in before.items() if k != "images"} == {
        k: v for k, v in after.items() if k != "images"
    }


async def test_the_same_image_loaded_by_many_at_once(store: Store) -> None:
    archive = docker_archive(["x:1"], [BIG, BASE, UPPER])
    await asyncio.gather(*(store.load(archive) for _ in range(6)))
    assert len(store.snapshots()) == 3
    assert store.services.leases.leases() == []
    assert store.services.content.ingests() == []


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off in a layer": lambda a: a[: len(a) // 2],
    "cut off at the end": lambda a: a[: a.index(b"manifest.json")],
    "no archive": lambda _: b"hello" * 1000,
    "empty": lambda _: b"",
    "no documents": lambda _: BASE,
    "changed layer": lambda a: rewritten(
        a, lambda n, d: d.replace(b"changed\n", b"CHANGED\n") if n.endswith("layer.tar") else d
    ),
    "broken layer": lambda a: rewritten(
        a, lambda n, d: d[:700] + b"X" * 900 + d[1600:] if n.endswith("layer.tar") else d
    ),
    "changed config": lambda a: rewritten(
        a, lambda n, d: d[:9] if n.endswith(".json") and n != "manifest.json" else d
    ),
    "missing config": lambda a: rewritten(
        a, lambda n, d: None if n.endswith(".json") and n != "manifest.json" else d
    ),
    "missing layer": lambda a: rewritten(a, lambda n, d: None if n.endswith("layer.tar") else d),
    "too few layers": lambda a: with_manifest(a, lambda d: d[0]["Layers"].pop()),
    "wrong order": lambda a: with_manifest(a, lambda d: d[0]["Layers"].reverse()),
    "bad name": lambda a: with_manifest(a, lambda d: d[0].update(RepoTags=["x:1", "-x:1"])),
    "name without tag": lambda a: with_manifest(a, lambda d: d[0].update(RepoTags=["x"])),
    "path outside": lambda a: with_manifest(a, lambda d: d[0].update(Config="../../etc/passwd")),
    "no list": lambda a: rewritten(a, lambda n, d: b"{}" if n == "manifest.json" else d),
    "second image broken": lambda a: with_manifest(
        a, lambda d: d.append({"Config": "none", "RepoTags": ["z:1"], "Layers": []})
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
async def test_damaged_archive_changes_nothing_and_leaves_nothing(
    store: Store, damage: str
) -> None:
    await store.load(docker_archive(["old:1"], [BASE]))
    before = store.footprint()
    archive = DAMAGES[damage](docker_archive(["x:1"], [BIG, TOP, UPPER]))
    with pytest.raises(NaruError):
        await store.load(archive)
    assert store.footprint() == before


async def test_hostile_layer_cannot_leave_its_snapshot(store: Store, tmp_path: Path) -> None:
    before = store.footprint()
    through_link = Tree().symlink("out", str(tmp_path)).file("out/owned", b"x").tar()
    upwards = Tree().file("../../../../owned", b"x").tar()
    for layer in (through_link, upwards):
        with pytest.raises(InvalidInputError):
            await store.load(docker_archive(["x:1"], [layer]))
    assert store.footprint() == before
    assert not (tmp_path / "owned").exists()


async def test_layout_with_a_lying_blob_name_is_refused(store: Store) -> None:
    archive = oci_archive("x:1", [BASE, UPPER])
    before = store.footprint()

    def lie(name: str, data: bytes) -> bytes:
        return gzip.compress(TOP) if data.startswith(b"\x1f\x8b") else data

    with pytest.raises(CorruptDataError):
        await store.load(rewritten(archive, lie))
    assert store.footprint() == before


async def test_sender_that_goes_away_leaves_nothing(store: Store) -> None:
    before = store.footprint()
    archive = docker_archive(["x:1"], [BIG, UPPER])

    async def chunks() -> AsyncIterator[bytes]:
        yield archive[:2_000_000]
        raise ConnectionResetError("gone")

    with pytest.raises(ConnectionResetError):
        await load(store.services, chunks(), quiet=True, report=store.records.append)
    assert store.footprint() == before


async def test_cancelled_load_leaves_nothing_that_a_collection_does_not_find(store: Store) -> None:
    before = store.footprint()
    archive = docker_archive(["x:1"], [BIG, UPPER])

    async def chunks() -> AsyncIterator[bytes]:
        yield archive[:2_000_000]
        await asyncio.sleep(60)

    task = asyncio.ensure_future(
        load(store.services, chunks(), quiet=True, report=store.records.append)
    )
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    store.services.garbage.collect()
    assert store.footprint() == before


async def test_removing_gives_everything_back(store: Store) -> None:
    before = store.footprint()
    await store.load(docker_archive(["x:1"], [BASE, UPPER]))
    image = store.services.catalog.resolve("x:1")
    chain = store.services.snapshots.chain(image.chain_id)
    assert store.remove("x:1") == [
        {"Untagged": "x:1"},
        {"Deleted": image.id},
        *({"Deleted": chain_id} for chain_id in chain),
    ]
    assert store.footprint() == before


async def test_removing_keeps_the_layers_of_others(store: Store) -> None:
    await store.load(docker_archive(["x:1"], [BASE, UPPER]))
    await store.load(docker_archive(["y:1"], [BASE, TOP]))
    store.remove("x:1")
    assert store.read("y:1", "etc/base") == b"changed\n"


async def test_removing_keeps_the_layers_under_a_container(store: Store) -> None:
    await store.load(docker_archive(["x:1"], [BASE, UPPER]))
    image = store.services.catalog.resolve("x:1")
    store.services.snapshots.prepare("container", image.chain_id)
    records = store.remove("x:1", force=True, users=[ImageUser("c" * 64, is_running=False)])
    assert records == [{"Untagged": "x:1"}, {"Deleted": image.id}]
    assert set(store.services.snapshots.chain(image.chain_id)) < store.snapshots()
    store.services.snapshots.remove("container")
    store.services.garbage.collect()
    assert store.snapshots() == set()


@requires("skopeo")
async def test_skopeo_reads_the_store_and_writes_archives_that_load(
    store: Store, tmp_path: Path
) -> None:
    await store.load(docker_archive(["x:1"], [BASE, UPPER]))
    source = f"oci:{store.root}/content:docker.io/library/x:1"
    shown = subprocess.run(
        ["skopeo", "inspect", source], capture_output=True, text=True, check=True
    )
    assert len(json.loads(shown.stdout)["Layers"]) == 2
    for kind, name in (("docker-archive", "y:1"), ("oci-archive", "z:1")):
        path = tmp_path / kind
        subprocess.run(
            ["skopeo", "copy", "-q", source, f"{kind}:{path}:docker.io/library/{name}"], check=True
        )
        assert await store.load(path.read_bytes()) == [name]
        assert store.read(name, "etc/upper") == b"upper\n"
