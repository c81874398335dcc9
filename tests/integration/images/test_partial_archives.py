"""Archives that leave out layers, and those that are cut off: on a real store."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Callable

import pytest

from harness.archives import Tree, docker_archive, files, image_config, members, oci_archive
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import CorruptDataError, FaultError, InvalidInputError
from naru.images.archives.at_hand import missing_blobs, missing_layers
from naru.images.load import load
from naru.images.recover import recover
from naru.images.verbatim import write_layers
from naru.oci.digest import DiffId, Digest

pytestmark = requires("root")

# Larger than what is handed over at once.
CONTENT = bytes(range(256)) * 12_000
BASE = Tree().directory("etc").file("etc/base", CONTENT).tar()
UPPER = Tree().file("etc/upper", b"upper\n").tar()
TOP = Tree().file("etc/top", b"top\n").file("etc/big", CONTENT).tar()


def digest(data: bytes) -> DiffId:
    return DiffId(Digest(f"sha256:{hashlib.sha256(data).hexdigest()}"))


def without(archive: bytes, *left_out: str) -> bytes:
    """Return an archive without the members whose name has one of these words in it."""
    entries = members(archive)
    return Tree([each for each in entries if not any(w in each[0].name for w in left_out)]).tar()


def hexes(*layers: bytes) -> list[str]:
    return [hashlib.sha256(layer).hexdigest() for layer in layers]


async def test_layers_that_are_here_need_not_be_in_an_archive(store: Store) -> None:
    await store.load(docker_archive(["base:1"], [BASE, UPPER]))
    whole = docker_archive(["app:1"], [BASE, UPPER, TOP])
    await store.load(without(whole, *hexes(BASE, UPPER)))
    assert store.read("app:1", "etc/base") == CONTENT
    assert store.read("app:1", "etc/top") == b"top\n"
    image = store.services.catalog.resolve("app:1")
    manifest = store.services.catalog.manifest(image)
    assert [layer.digest for layer in manifest.layers] == [digest(BASE), digest(UPPER), digest(TOP)]
    # The layers are the new image's own: they stay when the other one goes.
    store.remove("base:1")
    assert missing_blobs(store.services, image.layers) == []
    assert store.read("app:1", "etc/upper") == b"upper\n"


async def test_a_layout_without_its_layers_keeps_its_manifest(store: Store) -> None:
    await store.load(oci_archive("base:1", [BASE]))
    whole = oci_archive("app:1", [BASE, TOP])
    base = store.services.catalog.manifest(store.services.catalog.resolve("base:1"))
    await store.load(without(whole, base.layers[0].digest.partition(":")[2]))
    index = json.loads(files(whole)["index.json"])
    image = store.services.catalog.resolve("app:1")
    assert image.manifest_digest == index["manifests"][0]["digest"]
    assert store.read("app:1", "etc/top") == b"top\n"


async def test_the_same_layer_at_another_place_is_no_help(store: Store) -> None:
    await store.load(docker_archive(["base:1"], [BASE, UPPER]))
    before = store.footprint()
    swapped = docker_archive(["app:1"], [UPPER, BASE])
    with pytest.raises(InvalidInputError, match="no such file or directory"):
        await store.load(without(swapped, *hexes(UPPER)))
    assert store.footprint() == before
    assert missing_layers(store.services, [digest(UPPER), digest(BASE)]) == [
        digest(UPPER),
        digest(BASE),
    ]
    assert missing_layers(store.services, [digest(BASE), digest(TOP)]) == [digest(TOP)]
    assert missing_layers(store.services, []) == []


async def test_a_layer_that_is_damaged_here_is_no_help(store: Store) -> None:
    await store.load(docker_archive(["base:1"], [BASE]))
    store.services.content.path(digest(BASE)).write_bytes(b"cut short by a power cut")
    assert missing_layers(store.services, [digest(BASE)]) == [digest(BASE)]
    with pytest.raises(InvalidInputError, match="no such file or directory"):
        await store.load(without(docker_archive(["app:1"], [BASE, TOP]), *hexes(BASE)))


async def test_layers_go_out_as_they_are_stored(store: Store) -> None:
    await store.load(oci_archive("app:1", [BASE, TOP]))
    image = store.services.catalog.resolve("app:1")
    layers = store.services.catalog.manifest(image).layers
    out = bytearray()
    write_layers(store.services, image, [layers[1].digest, layers[0].digest], out.extend)
    sizes = [layer.size for layer in layers]
    assert digest(bytes(out[: sizes[1]])) == layers[1].digest
    assert digest(bytes(out[sizes[1] :])) == layers[0].digest
    with pytest.raises(InvalidInputError, match="has no layer"):
        write_layers(store.services, image, [digest(b"other")], out.extend)
    store.services.content.delete(layers[1].digest)
    with pytest.raises(CorruptDataError, match="the store has nothing"):
        write_layers(store.services, image, [layers[0].digest, layers[1].digest], out.extend)
    assert len(out) == sum(sizes)
    assert store.services.leases.leases() == []


def cut(archive: bytes, at: int) -> Callable[[], AsyncIterator[bytes]]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, at, 65536):
            yield archive[start : min(start + 65536, at)]
        raise ConnectionResetError("cut")

    return chunks


async def test_what_came_before_a_cut_is_kept_for_the_next_load_of_the_same(store: Store) -> None:
    before = store.footprint()
    archive = docker_archive(["app:1"], [BASE, UPPER, TOP])
    chunks = cut(archive, len(archive) - len(CONTENT) // 2)
    with pytest.raises(ConnectionResetError):
        await load(store.services, chunks(), quiet=True, keep="app", report=lambda _: None)
    assert missing_blobs(store.services, [digest(BASE), digest(TOP)]) == [digest(TOP)]
    store.services.garbage.collect()
    recover(store.services)
    # It outlives collections and the engine, and the rest makes it whole.
    assert digest(BASE) in store.blobs()
    rest = layout_without_base([BASE, UPPER, TOP])
    await load_kept(store, rest, "app")
    assert store.read("app:1", "etc/top") == b"top\n"
    assert store.services.leases.leases() == []
    store.remove("app:1")
    assert store.footprint() == before


def layout_without_base(layers: list[bytes]) -> bytes:
    """Return a layout of an image whose lowest layer is left out."""
    config = image_config(layers, {"Cmd": ["sh"]})
    tree = Tree()

    def blob(data: bytes, kind: str, *, is_here: bool = True) -> dict[str, object]:
        name = digest(data)
        if is_here:
            tree.file(f"blobs/sha256/{name.partition(':')[2]}", data)
        return {"mediaType": kind, "digest": name, "size": len(data)}

    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": blob(config, f"{kind}.config.v1+json"),
        "layers": [
            blob(layer, f"{kind}.layer.v1.tar", is_here=layer is not layers[0]) for layer in layers
        ],
    }
    entry = blob(json.dumps(manifest).encode(), f"{kind}.manifest.v1+json")
    entry["annotations"] = {"io.containerd.image.name": "docker.io/library/app:1"}
    return tree.file("index.json", json.dumps({"schemaVersion": 2, "manifests": [entry]})).tar()


async def load_kept(store: Store, archive: bytes, keep: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield archive

    await load(store.services, chunks(), quiet=True, keep=keep, report=lambda _: None)


async def test_nothing_is_kept_of_what_is_wrong_or_not_to_be_kept(store: Store) -> None:
    before = store.footprint()
    archive = docker_archive(["app:1"], [BASE, TOP])
    with pytest.raises(InvalidInputError):
        await load_kept(store, without(archive, *hexes(TOP)), "app")
    assert store.footprint() == before
    with pytest.raises(FaultError):
        await load_kept(store, archive[: len(archive) // 2], "app")
    assert store.footprint() == before
    chunks = cut(archive, len(archive) - len(CONTENT) // 2)
    with pytest.raises(ConnectionResetError):
        await load(store.services, chunks(), quiet=True, report=lambda _: None)
    assert store.footprint() == before
