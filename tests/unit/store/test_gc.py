"""Garbage collection: what is reachable stays, whoever works meanwhile."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from naru import faults
from naru.db.database import Database
from naru.db.leases import Leases
from naru.errors import FaultError
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, DiffId, Digest, digest_bytes
from naru.oci.image_config import build_image_config, chain_ids
from naru.oci.manifest import build_index, build_manifest
from naru.oci.platform import Platform
from naru.store import gc
from naru.store.content import ContentStore
from naru.store.native import NativeSnapshotter


class Store:
    """A content store, snapshots and leases in one directory."""

    def __init__(self, root: Path) -> None:
        self.database = Database(root / "naru.db")
        self.content = ContentStore(root / "content")
        self.snapshots = NativeSnapshotter(root / "snapshots", self.database)
        self.leases = Leases(self.database)
        self.links = gc.LinkReader(self.content)
        self.roots: list[Digest] = []
        self.snapshot_roots: list[str] = []

    def image(self, *layers: bytes) -> Digest:
        """Store an image of these layers, and unpack it; returns its manifest."""
        diff_ids = [DiffId(self.content.add(layer)) for layer in layers]
        parent: ChainId | None = None
        for chain_id in chain_ids(diff_ids):
            self.snapshots.prepare("unpack", parent)
            self.snapshots.commit(chain_id, "unpack")
            parent = chain_id
        platform = Platform(os="linux", architecture="amd64")
        config = build_image_config(platform=platform, diff_ids=diff_ids)
        self.content.add(config.raw)
        manifest = build_manifest(
            Descriptor(media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)),
            [
                Descriptor(media_type=mediatype.OCI_LAYER, digest=diff_id, size=len(layer))
                for diff_id, layer in zip(diff_ids, layers, strict=True)
            ],
        )
        return self.content.add(manifest.raw)

    def collect(self) -> gc.Collected:
        return gc.collect(
            self.database,
            self.content,
            self.snapshots,
            roots=lambda: gc.Roots(self.roots, self.snapshot_roots),
            links=self.links,
            now_ns=1000,
        )

    def sweep(self) -> tuple[gc.Collected, Callable[[], None]]:
        return gc.sweep(
            self.database,
            self.content,
            self.snapshots,
            roots=lambda: gc.Roots(self.roots, self.snapshot_roots),
            links=self.links,
            now_ns=1000,
        )

    def counts(self) -> tuple[int, int]:
        return len(list(self.content.walk())), len(list(self.snapshots.walk()))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_nothing_of_a_rooted_image_is_collected(store: Store) -> None:
    store.roots = [store.image(b"layer one", b"layer two")]
    assert store.collect() == gc.Collected((), (), (), 0)
    assert store.counts() == (4, 2)


def test_what_two_images_share_stays_for_the_other(store: Store) -> None:
    store.roots = [store.image(b"shared", b"first")]
    store.image(b"shared", b"second")
    assert store.counts() == (7, 3)
    collected = store.collect()
    assert (len(collected.blobs), len(collected.snapshots)) == (3, 1)
    assert store.counts() == (4, 2)
    assert store.collect().blobs == ()


def test_everything_goes_with_the_last_root(store: Store) -> None:
    store.image(b"one", b"two", b"three")
    collected = store.collect()
    assert store.counts() == (0, 0)
    assert len(collected.snapshots) == 3
    assert collected.size > 0
    assert os.listdir(store.snapshots.root) == []
    assert os.listdir(store.content.root / "trash") == []


def test_what_is_swept_is_out_of_sight_before_its_space_is_free(store: Store) -> None:
    store.image(b"layer one", b"layer two")
    collected, free = store.sweep()
    assert (len(collected.blobs), len(collected.snapshots)) == (4, 2)
    assert store.counts() == (0, 0)
    assert store.sweep()[0] == gc.Collected((), (), (), 0)
    # The same comes again, and goes again, before the first is freed.
    manifest = store.image(b"layer one", b"layer two")
    _, free_again = store.sweep()
    store.roots = [store.image(b"layer one", b"layer two")]
    assert store.roots == [manifest]
    for each in (free, free_again, free):
        each()
    assert store.counts() == (4, 2)
    directories = [name for name in os.listdir(store.snapshots.root) if name.isdecimal()]
    assert len(directories) == 2
    assert os.listdir(store.content.root / "trash") == []


def test_an_index_keeps_its_images(store: Store) -> None:
    manifest = store.image(b"one")
    index = build_index((Descriptor(media_type=mediatype.OCI_MANIFEST, digest=manifest, size=1),))
    store.roots = [store.content.add(index.raw)]
    store.collect()
    assert store.counts() == (4, 1)


def test_an_index_may_name_what_was_never_fetched(store: Store) -> None:
    index = build_index((Descriptor(digest=digest_bytes(b"absent"), size=1),))
    store.roots = [store.content.add(index.raw)]
    store.collect()
    assert store.counts() == (1, 0)


def test_a_container_keeps_the_layers_below_it(store: Store) -> None:
    store.image(b"one", b"two")
    (top,) = [info.key for info in store.snapshots.walk() if info.parent]
    store.snapshots.prepare("container", ChainId(Digest(top)))
    store.collect()
    assert store.counts() == (0, 3)
    store.snapshots.remove("container")
    store.collect()
    assert store.counts() == (0, 0)


def test_a_lease_keeps_what_is_under_it_and_all_that_it_names(store: Store) -> None:
    manifest = store.image(b"one")
    store.leases.take("pull", owner="test", expires_ns=2000)
    store.leases.add("pull", "blob", manifest)
    store.leases.add("pull", "ingest", "download")
    for key in ("download", "abandoned"):
        with store.content.ingest(key) as ingest:
            ingest.write(b"half")
    assert store.collect().ingests == ("abandoned",)
    assert store.counts() == (3, 1)
    store.leases.release("pull")
    assert store.collect().ingests == ("download",)
    assert store.counts() == (0, 0)


def test_an_expired_lease_keeps_nothing(store: Store) -> None:
    store.leases.take("pull", owner="test", expires_ns=1000)
    store.leases.add("pull", "blob", store.image(b"one"))
    store.collect()
    assert store.counts() == (0, 0)
    assert store.leases.leases() == []


@pytest.mark.parametrize("looks", [1, 2, 9])
def test_a_root_that_appears_while_marking_is_seen(store: Store, looks: int) -> None:
    manifest = store.image(b"one")
    asked = 0

    def roots() -> gc.Roots:
        """Tell of an image from the second look on; rows go on changing for `looks` looks."""
        nonlocal asked
        asked += 1
        found = gc.Roots([manifest] if asked > 1 else [])
        if asked <= looks:
            store.leases.take(f"another {asked}", owner="test", expires_ns=10**18)
        return found

    gc.collect(
        store.database,
        store.content,
        store.snapshots,
        roots=roots,
        links=store.links,
        now_ns=0,
    )
    assert store.counts() == (3, 1)


def test_an_ingest_that_is_being_written_stays(store: Store) -> None:
    with store.content.ingest("open") as ingest:
        ingest.write(b"x")
        assert store.collect().ingests == ()


@pytest.mark.parametrize(
    "point",
    ["store.gc.before_sweep", "store.gc.after_transaction", "store.snapshot.remove_half"],
)
def test_a_broken_off_collection_is_finished_by_repair(store: Store, point: str) -> None:
    store.roots = [store.image(b"kept")]
    store.image(b"gone")
    faults.arm(point, "raise")
    with pytest.raises(FaultError):
        store.collect()
    store.content.repair()
    store.snapshots.repair()
    store.collect()
    assert store.counts() == (3, 1)
    assert os.listdir(store.content.root / "trash") == []
    assert len(os.listdir(store.snapshots.root)) == 1


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}",
        b"{",
        b'{"rootfs":5}',
        b"\x1f\x8b",
        b"[1]",
        b'{"x":"\xff"}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_what_is_no_manifest_names_nothing(raw: bytes) -> None:
    assert gc.links_of(raw) == gc.Links()
