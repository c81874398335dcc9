"""Archives cut off anywhere and changed anywhere: an image comes out whole, or nothing does."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable

import pytest
import zstandard

from harness.archives import Tree, docker_archive, oci_archive
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import NaruError
from naru.images.save import choose_images, save

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").file("gone", b"x").tar()
UPPER = Tree().file("etc/upper", bytes(range(256)) * 3).file(".wh.gone").tar()
LAYERS = [BASE, UPPER]
BLOCK = 512
_STEP = 241
"""Bytes between two changes: a prime, so that they fall on every place of a block."""


async def _saved(store: Store) -> bytes:
    await store.load(oci_archive("x:1", LAYERS))
    pieces: list[bytes] = []
    save(store.services, choose_images(store.services.catalog, ["x:1"]), pieces.append)
    store.remove("x:1")
    return b"".join(pieces)


async def _archive(store: Store, form: str) -> bytes:
    match form:
        case "docker":
            return docker_archive(["x:1"], LAYERS)
        case "layout":
            return oci_archive("x:1", LAYERS)
        case _:
            return await _saved(store)


async def _whole_or_nothing(store: Store, damaged: bytes, image_id: str) -> bool:
    """Load it, and say whether that worked; everything is as before in the end."""
    before = store.footprint()
    try:
        names = await store.load(damaged)
    except NaruError:
        assert store.footprint() == before
        return False
    for name in names:
        assert store.services.catalog.resolve(name).id == image_id
        assert store.read(name, "etc/upper") == bytes(range(256)) * 3
        assert store.read(name, "gone") is None
    for name in names:
        store.remove(name)
    assert store.footprint() == before
    return True


async def _id_in(store: Store, archive: bytes) -> str:
    await store.load(archive)
    found = store.services.catalog.resolve("x:1").id
    store.remove("x:1")
    return found


@pytest.mark.parametrize("form", ["docker", "layout", "saved"])
async def test_an_archive_that_is_cut_off_anywhere_is_whole_or_nothing(
    store: Store, form: str
) -> None:
    archive = await _archive(store, form)
    image_id = await _id_in(store, archive)
    used = len(archive.rstrip(b"\0"))
    for end in range(0, used, BLOCK):
        for cut in (end, end + BLOCK - 1):
            whole = await _whole_or_nothing(store, archive[:cut], image_id)
            # The documents and layers that an image needs are all there, or it does not load.
            assert not whole or cut > used - 3 * BLOCK


@pytest.mark.parametrize("form", ["docker", "layout", "saved"])
async def test_an_archive_that_is_changed_anywhere_is_whole_or_nothing(
    store: Store, form: str
) -> None:
    archive = await _archive(store, form)
    image_id = await _id_in(store, archive)
    refused = 0
    places = range(7, len(archive.rstrip(b"\0")), _STEP)
    for place in places:
        damaged = bytearray(archive)
        damaged[place] ^= 1 << place % 8
        refused += not await _whole_or_nothing(store, bytes(damaged), image_id)
    assert refused > len(places) // 2


@pytest.mark.parametrize("form", ["docker", "layout", "saved"])
async def test_a_letter_changed_in_a_config_or_a_layer_is_told(store: Store, form: str) -> None:
    archive = await _archive(store, form)
    image_id = await _id_in(store, archive)
    letters = [(b"step 1", b"step 9"), (b"amd64", b"amd46")]
    if form != "layout":
        letters.append((b"base\n", b"BASE\n"))
    for old, new in letters:
        damaged = archive.replace(old, new, 1)
        assert damaged != archive
        assert not await _whole_or_nothing(store, damaged, image_id)


@pytest.mark.parametrize(
    "compress", [gzip.compress, bz2.compress, lzma.compress, zstandard.compress]
)
async def test_a_compressed_archive_that_is_cut_off_or_changed_changes_nothing(
    store: Store, compress: Callable[[bytes], bytes]
) -> None:
    plain = docker_archive(["x:1"], LAYERS)
    image_id = await _id_in(store, plain)
    archive = compress(plain)
    for cut in range(0, len(archive), max(len(archive) // 20, 1)):
        assert not await _whole_or_nothing(store, archive[:cut], image_id)
    for place in range(0, len(archive), max(len(archive) // 20, 1)):
        damaged = bytearray(archive)
        damaged[place] ^= 0x10
        await _whole_or_nothing(store, bytes(damaged), image_id)
