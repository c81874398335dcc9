"""Pulls that go wrong on the way: cuts, kills, cancellations, hostile layers and a full disk."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import zstandard

from fakes.fake_clock import FakeClock
from fakes.fake_registry import FakeRegistry
from harness.archives import Tree, image_config
from harness.disks import small_disk
from harness.image_store import Store
from harness.requirements import requires
from harness.waiting import eventually_async
from naru.errors import CorruptDataError, FaultError, InvalidInputError
from naru.images.catalog import Image
from naru.images.pull import pull
from naru.images.recover import recover
from naru.oci.reference import Reference

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").tar()
_CONTENT = os.urandom(2 << 20)
UPPER = Tree().directory("etc").file("etc/upper", _CONTENT).tar()
TOP = Tree().file("top", b"top\n").file(".wh.none").tar()
LAYERS = [BASE, UPPER, TOP]
_TAR = "application/vnd.oci.image.layer.v1.tar"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path / "data", clock=FakeClock())
    yield made
    await made.close()


def add_image(registry: FakeRegistry, tag: str = "1", label: str = "") -> None:
    config = image_config(LAYERS, {"Labels": {"l": label}})
    registry.add_image("x", tag, config, [gzip.compress(layer, 1, mtime=0) for layer in LAYERS])


def add_layers(
    registry: FakeRegistry, sent: list[tuple[str, bytes]], plain: list[bytes], **extra: Any
) -> None:
    """Store an image whose layers are sent as these (media type, bytes)."""
    config = image_config(plain, {})
    layers = [
        {"mediaType": kind, "digest": registry.add_blob(data), "size": len(data), **extra}
        for kind, data in sent
    ]
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": registry.add_blob(config),
            "size": len(config),
        },
        "layers": layers,
        "annotations": {"org.opencontainers.image.title": "x"},
    }
    registry.put_manifest("x", "1", json.dumps(manifest).encode())


async def pulled(store: Store, registry: FakeRegistry, name: str = "x:1") -> Image:
    reference = Reference.parse(f"{registry.host}/{name}")
    return await pull(
        store.services, reference, platform=None, auth=None, report=store.records.append
    )


def ranges(registry: FakeRegistry, digest: str) -> list[str]:
    return [
        headers.get("Range", "")
        for _, path, headers in registry.requests
        if path.endswith(f"/blobs/{digest}")
    ]


@pytest.mark.parametrize("seed", range(4))
async def test_cuts_anywhere_in_any_blob_cost_nothing_that_came(store: Store, seed: int) -> None:
    chosen = random.Random(seed)
    async with FakeRegistry() as registry:
        add_image(registry)
        for digest, data in registry.blobs.items():
            cuts = [chosen.randrange(len(data)) for _ in range(3)]
            registry.faults.cut_after[digest] = [0, *cuts] if seed == 0 else cuts
        registry.faults.statuses["/manifests/1"] = [503, 429]
        image = await pulled(store, registry)
        for digest, data in registry.blobs.items():
            starts = [int(wanted[6:-1] or 0) for wanted in ranges(registry, digest)]
            assert len(starts) > 1, "it was cut"
            assert starts == sorted(starts)
            assert all(start < len(data) for start in starts)
    assert store.read(image.id, "etc/upper") == _CONTENT
    assert store.read(image.id, "top") == b"top\n"
    assert store.services.leases.leases() == []
    assert store.services.content.ingests() == []


_VICTIM = """
import asyncio, sys
from pathlib import Path
from harness.image_store import Store
from naru.images.pull import pull
from naru.oci.reference import Reference

async def main():
    store = Store(Path(sys.argv[1]))
    await pull(store.services, Reference.parse(sys.argv[2]), platform=None, auth=None,
               report=lambda _: None)

asyncio.run(main())
"""


async def test_killed_engine_goes_on_where_it_was(tmp_path: Path) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        registry.faults.hang_after[big] = [1_500_000]
        folder = tmp_path / "data"
        victim = subprocess.Popen(
            [sys.executable, "-c", _VICTIM, str(folder), f"{registry.host}/x:1"],
            env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
        )
        try:
            coming = folder / "content" / "ingest"
            await eventually_async(
                lambda: (
                    [file.stat().st_size >= 1 << 20 for file in coming.glob("*/data")] == [True]
                    and len(list(folder.glob("content/blobs/sha256/*"))) == 4
                ),
                "all is there but one layer, and of that a MiB",
            )
        finally:
            victim.kill()
            await asyncio.to_thread(victim.wait)
        store = Store(folder)
        recover(store.services)
        assert [info.key for info in store.services.snapshots.walk() if info.kind == "active"] == []
        ((_, size),) = store.services.content.ingests()
        registry.requests.clear()
        image = await pulled(store, registry)
        assert ranges(registry, big) == [f"bytes={size}-"]
        assert store.read(image.id, "top") == b"top\n"
    assert store.services.leases.leases() == []
    await store.close()


async def test_pull_that_is_cancelled_leaves_the_blob_to_who_waits_for_it(store: Store) -> None:
    async with FakeRegistry() as registry:
        for tag in "12":
            add_image(registry, tag, label=tag)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        registry.faults.hang_after[big] = [1_200_000]
        first = asyncio.ensure_future(pulled(store, registry, "x:1"))
        await eventually_async(lambda: ranges(registry, big), "the first fetches")
        second = asyncio.ensure_future(pulled(store, registry, "x:2"))
        await eventually_async(lambda: "x:2" in str(store.services.pulls), "the second waits")
        await eventually_async(
            lambda: [size >= 1 << 20 for _, size in store.services.content.ingests()] == [True],
            "there is a MiB of it, and the rest is done",
        )
        await asyncio.sleep(0.3)
        assert ranges(registry, big) == [""]
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        image = await second
        begun, resumed = ranges(registry, big)
        assert begun == ""
        assert int(resumed.removeprefix("bytes=").rstrip("-")) >= 1 << 20
        assert image.repo_tags == (f"{registry.host}/x:2",)
        assert [info.key for info in store.services.snapshots.walk() if info.kind == "active"] == []
        # What came for the first one is there for its next try.
        registry.requests.clear()
        await pulled(store, registry, "x:1")
        assert len([path for path in registry.paths() if "/blobs/" in path]) <= 1
    assert store.services.leases.leases() == []


async def test_one_image_pulled_twice_at_once_is_fetched_once(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        one, two = await asyncio.gather(pulled(store, registry), pulled(store, registry))
        assert one == two
        blobs = [path for path in registry.paths() if "/blobs/" in path]
        assert len(blobs) == len(set(blobs)) == 4


def _chunked(data: bytes) -> bytes:
    """Return zstd in several frames with skippable ones between, as `zstd:chunked` has them."""
    skippable = struct.pack("<II", 0x184D2A50, 5) + b"index"
    half = len(data) // 2
    frames = [zstandard.compress(piece) for piece in (data[:half], data[half:])]
    return frames[0] + skippable + frames[1] + skippable


async def test_layers_in_every_dress_and_twice_and_empty(store: Store) -> None:
    more = Tree().file("more", b"more\n").tar()
    empty = Tree().tar()
    sent = [
        (_TAR, BASE),
        (f"{_TAR}+zstd", zstandard.compress(UPPER)),
        (f"{_TAR}+zstd", _chunked(more)),
        # Types that lie: bytes tell.
        (f"{_TAR}+gzip", TOP),
        (_TAR, bz2.compress(empty)),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", gzip.compress(b"")),
        # estargz: one gzip member for each piece.
        (f"{_TAR}+gzip", gzip.compress(more[:600]) + gzip.compress(more[600:])),
        (_TAR, BASE),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", gzip.compress(empty)),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", gzip.compress(more)),
    ]
    plain = [BASE, UPPER, more, TOP, empty, b"", more, BASE, empty, more]
    annotation = {"containerd.io/snapshot/stargz/toc.digest": f"sha256:{'0' * 64}"}
    async with FakeRegistry() as registry:
        add_layers(registry, sent, plain, annotations=annotation)
        image = await pulled(store, registry)
        blobs = [path for path in registry.paths() if "/blobs/" in path]
        assert len(blobs) == len(set(blobs))
    assert [store.read(image.id, name) for name in ("more", "top", "etc/base")] == [
        b"more\n",
        b"top\n",
        b"base\n",
    ]
    assert len(store.snapshots()) == len(plain)


async def test_broken_layers_are_refused_and_leave_nothing(store: Store) -> None:
    before = store.footprint()
    packed = gzip.compress(UPPER, 1)
    evil = Tree().file("../../etc/evil", b"x").tar()
    cases = [
        ("gzip: unexpected EOF", packed[: len(packed) // 2], UPPER),
        ("gzip: unexpected EOF", packed[:-4], UPPER),
        ("gzip: ", packed + b"garbage", UPPER),
        ("gzip: invalid data", packed[:-8] + bytes(4) + packed[-4:], UPPER),
        ("cut off within its data", zstandard.compress(UPPER)[:-3], UPPER),
        ("invalid diffID for layer 0", packed, UPPER + bytes(512)),
        ("zstd: invalid data", b"\x28\xb5\x2f\xfd" + os.urandom(1000), UPPER),
        ("invalid tar header", b"no tar at all" * 100, UPPER),
        ("cut off within its data", gzip.compress(UPPER[: 1 << 20]), UPPER[: 1 << 20]),
        ("leads out of the root", evil, evil),
    ]
    for words, sent, plain in cases:
        async with FakeRegistry() as registry:
            add_layers(registry, [(f"{_TAR}+gzip", sent)], [plain])
            with pytest.raises((CorruptDataError, InvalidInputError), match=words):
                await pulled(store, registry)
        assert store.footprint() == before


async def test_sizes_that_do_not_fit_are_refused_at_once(store: Store) -> None:
    before = store.footprint()
    async with FakeRegistry() as registry:
        add_image(registry)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        whole = registry.blobs[big]
        for data in (whole[:-1], whole + b"x", b""):
            registry.faults.wrong_bytes[big] = data
            registry.requests.clear()
            with pytest.raises(CorruptDataError, match="layer verification failed"):
                await pulled(store, registry)
            assert len(ranges(registry, big)) == 2
            assert store.footprint() == before


async def test_bytes_that_a_cache_spoiled_once_are_fetched_again(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        spoiled = bytearray(registry.blobs[big])
        spoiled[1_000_000] ^= 255
        registry.faults.wrong_bytes[big] = bytes(spoiled)
        pulling = asyncio.ensure_future(pulled(store, registry))
        await eventually_async(lambda: ranges(registry, big), "it is asked for")
        del registry.faults.wrong_bytes[big]
        image = await pulling
        assert store.read(image.id, "top") == b"top\n"


# -- a full disk -----------------------------------------------------------------------------------


def zeros_in_zstd(size: int) -> bytes:
    """Return a zstd frame of zeros, 4 bytes for each 128 KiB: a bomb, made by hand."""
    blocks = size // (128 << 10)
    header = struct.pack("<IBB", 0xFD2FB528, 0x00, 0x50)
    block = struct.pack("<I", 128 << 10 << 3 | 1 << 1)[:3] + b"\0"
    last = struct.pack("<I", 128 << 10 << 3 | 1 << 1 | 1)[:3] + b"\0"
    return header + block * (blocks - 1) + last


def bomb(size: int) -> bytes:
    """Return a compressed layer with one file of zeros; its tar is never made as a whole."""
    member = bytearray(Tree().file("bomb").tar()[:512])
    # Sizes beyond eleven octal digits are binary.
    member[124:136] = b"\x80" + size.to_bytes(11, "big")
    member[148:156] = b" " * 8
    member[148:156] = b"%06o\0 " % sum(member)
    return zstandard.compress(bytes(member)) + zeros_in_zstd(size + (1 << 20))


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Store]:
    """Give a store that has a disk of 24 MB for everything, its database as well."""
    with small_disk(tmp_path / "small", "size=24m") as place:
        made = Store(place / "data", clock=FakeClock())
        yield made
        await made.close()


@pytest.mark.parametrize("what", ["bomb", "blob", "tree"])
async def test_full_disk_is_said_leaves_nothing_and_can_be_mended(small: Store, what: str) -> None:
    filler = small.root.parent / "filler"
    before = small.footprint()
    async with FakeRegistry() as registry:
        if what == "bomb":
            data = bomb(100 << 30)
            assert len(data) < 4 << 20
            add_layers(registry, [(f"{_TAR}+zstd", data)], [BASE])
        elif what == "blob":
            # The database keeps some of the disk for itself.
            filler.write_bytes(bytes(shutil.disk_usage(small.root).free - (2 << 20)))
            add_image(registry)
        else:
            plain = Tree().file("large", bytes(30 << 20)).tar()
            add_layers(registry, [(f"{_TAR}+gzip", gzip.compress(plain, 1))], [plain])
        with pytest.raises(FaultError, match="no space left on device"):
            await pulled(small, registry)
        assert small.footprint() == before
        filler.unlink(missing_ok=True)
        registry.manifests.clear()
        add_image(registry)
        image = await pulled(small, registry)
        assert small.read(image.id, "top") == b"top\n"
        small.remove(image.id, force=True)
    assert small.footprint() == before
