"""Damage to a store: all of it is found, nothing else is, and what can be had again comes back."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import combinations
from pathlib import Path
from typing import ClassVar

import pytest

from fakes.fake_registry import FakeRegistry
from harness.archives import Tree, docker_archive, image_config, oci_archive
from harness.image_store import Store
from harness.requirements import requires
from harness.waiting import eventually
from naru.aio import in_thread
from naru.errors import CorruptDataError
from naru.images.checking.findings import Finding, Holder
from naru.images.checking.inventory import confirmed, gather
from naru.images.checking.mending import clear, mend_blob, put_in_place, unpack_again
from naru.images.checking.verification import Verification
from naru.images.commit import NewImage, commit_snapshot
from naru.images.layers.settling import Settling
from naru.images.pull import pull
from naru.images.recover import recover
from naru.linux import mount
from naru.oci.digest import ChainId, Digest, digest_bytes
from naru.oci.image_config import RunDefaults, chain_ids
from naru.oci.reference import Reference

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").tar()
UPPER = Tree().file("etc/upper", b"upper\n").file("etc/.wh.base").tar()


def look(store: Store, *holders: Holder, contents: bool = True) -> list[Finding]:
    inventory, findings = confirmed(store.services, lambda: holders, pause=lambda _: None)
    known = {finding.key for finding in findings}
    verification = Verification(store.services, contents)
    return [*findings, *(one for one in verification.run(inventory) if one.key not in known)]


def kinds(store: Store, *holders: Holder) -> dict[str, str]:
    return {finding.kind: finding.thing for finding in look(store, *holders)}


@pytest.fixture
def loaded(store: Store) -> Store:
    """Give a store with `x:1`, of two layers."""
    asyncio.run(store.load(docker_archive(["x:1"], [BASE, UPPER])))
    assert look(store) == []
    return store


def layers(store: Store) -> list[str]:
    return layers_of(store, "x:1")


def layers_of(store: Store, name: str) -> list[str]:
    return list(chain_ids(store.services.catalog.resolve(name).layers))


def tree_of(store: Store, chain_id: str) -> Path:
    info = store.services.snapshots.stat(chain_id)
    assert info is not None
    return store.root / "snapshots" / str(info.number) / "fs"


def blob(store: Store, digest: str) -> Path:
    return store.services.content.path(Digest(digest))


def rot(path: Path) -> None:
    """Turn one bit, as a disk does."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _row(store: Store) -> tuple[str, str]:
    row = store.services.rows.all()[0]
    return row.image_id, row.manifest_digest


Damage = Callable[[Store], object]
DAMAGES: dict[str, tuple[Damage, set[str]]] = {
    "a layer's byte": (lambda s: rot(blob(s, digest_bytes(UPPER))), {"blob-damaged"}),
    "a layer's end": (lambda s: os.truncate(blob(s, digest_bytes(UPPER)), 512), {"blob-damaged"}),
    "a layer's blob": (lambda s: blob(s, digest_bytes(BASE)).unlink(), {"blob-missing"}),
    "the config's byte": (lambda s: rot(blob(s, _row(s)[0])), {"blob-damaged"}),
    "the config": (lambda s: blob(s, _row(s)[0]).unlink(), {"blob-missing"}),
    "the manifest's byte": (lambda s: rot(blob(s, _row(s)[1])), {"blob-damaged"}),
    "the manifest": (lambda s: blob(s, _row(s)[1]).unlink(), {"blob-missing"}),
    "an unpacked byte": (
        lambda s: rot(tree_of(s, layers(s)[0]) / "etc/base"),
        {"layer-damaged"},
    ),
    "an unpacked file": (
        lambda s: (tree_of(s, layers(s)[1]) / "etc/upper").unlink(),
        {"layer-damaged"},
    ),
    "a deletion": (
        lambda s: (tree_of(s, layers(s)[1]) / "etc/base").unlink(),
        {"layer-damaged"},
    ),
    "a tree": (lambda s: shutil.rmtree(tree_of(s, layers(s)[1]).parent), {"layer-missing"}),
    "a row of a tree": (
        lambda s: s.database.execute("DELETE FROM snapshots WHERE key = ?", (layers(s)[1],)),
        {"layer-missing", "directory-unneeded"},
    ),
    "the index": (
        lambda s: (s.root / "content/index.json").write_text("{}"),
        {"index-outdated"},
    ),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_every_loss_is_found_and_nothing_else(loaded: Store, name: str) -> None:
    damage, expected = DAMAGES[name]
    damage(loaded)
    found = look(loaded)
    assert {finding.kind for finding in found} == expected
    for finding in found:
        if finding.kind not in {"directory-unneeded", "index-outdated"}:
            assert finding.images == ("x:1",)


def test_what_nobody_needs_is_found_and_cleared(loaded: Store) -> None:
    services = loaded.services
    services.content.add(b"nobody's")
    with services.content.ingest("left") as ingest:
        ingest.write(b"half")
    services.leases.take("old", owner="test", expires_ns=1)
    services.snapshots.prepare("unpack-x", None)
    nobody = ChainId(digest_bytes(b"nobody's layer"))
    services.snapshots.commit(nobody, "unpack-x")
    (loaded.root / "snapshots/777").mkdir()
    found = look(loaded)
    assert {finding.kind for finding in found} == {
        "blob-unneeded",
        "layer-unneeded",
        "directory-unneeded",
        "write-unneeded",
        "lease-expired",
    }
    clear(services, found)
    assert look(loaded) == []


def test_a_name_of_no_image_is_found_and_cleared(loaded: Store) -> None:
    # Foreign keys keep that from happening; a hand that repairs the file need not.
    with sqlite3.connect(loaded.root / "naru.db") as by_hand:
        by_hand.execute("UPDATE image_names SET image_id = 'sha256:' || substr(image_id, 8, 63)")
        by_hand.execute(
            "INSERT INTO image_names SELECT registry, repository, '2', digest, manifest_digest,"
            " (SELECT image_id FROM images) FROM image_names"
        )
    by_hand.close()
    assert kinds(loaded) == {"name-dangling": "x:1"}
    clear(loaded.services, look(loaded))
    assert look(loaded) == []
    assert loaded.services.catalog.resolve("x:2").repo_tags == ("x:2",)


def test_work_in_progress_is_no_finding(loaded: Store) -> None:
    services = loaded.services
    with services.lease("test") as lease_id:
        services.leases.add(lease_id, "blob", digest_bytes(b"coming"))
        services.leases.add(lease_id, "ingest", "i")
        services.content.add(b"coming")
        with services.content.ingest("i") as ingest:
            ingest.write(b"half")
            with services.unpacker.preparing(None, lease_id):
                assert look(loaded) == []


def test_containers_are_named_and_their_own_loss_is_told(loaded: Store) -> None:
    services, chain = loaded.services, layers(loaded)
    services.snapshots.prepare("c", services.catalog.resolve("x:1").chain_id)
    holder = Holder("c", "web", is_running=True, keys=("c",))
    (tree_of(loaded, chain[0]) / "etc/base").unlink()
    (found,) = look(loaded, holder)
    assert (found.kind, found.containers) == ("layer-damaged", ("web",))
    assert "/etc/base: is missing" in found.what
    shutil.rmtree(tree_of(loaded, "c").parent)
    assert kinds(loaded, holder).keys() == {"layer-damaged", "container-lost"}


def mend_all(store: Store) -> list[str]:
    """Mend as the engine does, and return the reasons for what is left."""

    async def run() -> list[str]:
        reasons: list[str] = []
        for _ in range(3):
            inventory = await in_thread(gather, store.services, list)
            reasons = []
            for finding in await in_thread(look, store):
                if finding.kind.startswith("blob-"):
                    digest = Digest(finding.thing)
                    reasons.append(await mend_blob(store.services, inventory, digest, {}))
        return [reason for reason in reasons if reason]

    return asyncio.run(run())


@pytest.mark.parametrize("what", ["a layer's byte", "a layer's blob", "the manifest"])
def test_what_came_from_no_registry_is_made_anew_where_that_gives_the_same_bytes(
    loaded: Store, what: str
) -> None:
    services = loaded.services
    base = services.catalog.resolve("x:1")
    with mount.detached(services.snapshots.prepare("c", base.chain_id)) as root:
        Path(f"/proc/self/fd/{root}/etc/upper").write_text("changed")
        Path(f"/proc/self/fd/{root}/new").symlink_to("etc")
        os.link(f"/proc/self/fd/{root}/etc/upper", f"/proc/self/fd/{root}/linked")
    image_id = commit_snapshot(
        services, "c", NewImage(base, RunDefaults(), names=[Reference.parse("made:1")])
    )
    services.snapshots.remove("c")
    made = services.catalog.get(image_id)
    assert made is not None
    assert look(loaded) == []
    if what == "the manifest":
        blob(loaded, made.manifest_digest).unlink()
    elif what == "a layer's blob":
        blob(loaded, made.layers[-1]).unlink()
    else:
        rot(blob(loaded, made.layers[-1]))
    assert mend_all(loaded) == []
    assert look(loaded) == []


def test_what_cannot_be_had_again_stays_and_says_what_to_do(loaded: Store) -> None:
    digest = digest_bytes(BASE)
    rot(blob(loaded, digest))
    before = blob(loaded, digest).read_bytes()
    assert mend_all(loaded) == ["it came from no registry: load or build x:1 again"]
    assert blob(loaded, digest).read_bytes() == before
    asyncio.run(loaded.load(docker_archive(["x:1"], [BASE, UPPER])))
    assert look(loaded) == []


def test_a_tree_is_unpacked_again_in_one_step(loaded: Store) -> None:
    services, chain = loaded.services, layers(loaded)
    old = tree_of(loaded, chain[0])
    rot(old / "etc/base")
    services.snapshots.prepare("c", services.catalog.resolve("x:1").chain_id)
    facts = gather(services, list).layers[chain[0]]
    with services.lease("test") as lease_id:
        unpacking = unpack_again(services, facts, lease_id)
        put_in_place(services, facts, unpacking, is_mounted=True)
    assert look(loaded) == []
    assert old.exists(), "what may be mounted stays until the next start"
    with mount.detached(services.snapshots.mounts("c")) as root:
        assert os.listdir(f"/proc/self/fd/{root}/etc") == ["upper"]
    services.snapshots.repair()
    assert not old.exists()


class TestFromARegistry:
    """What was pulled is fetched again."""

    @pytest.fixture
    async def registry(self) -> AsyncIterator[FakeRegistry]:
        async with FakeRegistry() as registry:
            packed = [gzip.compress(layer, mtime=0) for layer in (BASE, UPPER)]
            manifest = registry.add_image("x", "one", image_config([BASE, UPPER], {}), packed)
            registry.add_index("x", "1", [(manifest, {"os": "linux", "architecture": "amd64"})])
            yield registry

    @pytest.mark.parametrize("damage", [rot, Path.unlink], ids=["rotten", "missing"])
    async def test_each_blob_of_an_image_comes_back(
        self, store: Store, registry: FakeRegistry, damage: Callable[[Path], None]
    ) -> None:
        name = f"{registry.host}/x:1"
        await pull(
            store.services, Reference.parse(name), platform=None, auth=None, report=lambda _: None
        )
        assert await in_thread(look, store) == []
        blobs = sorted(store.blobs())
        assert len(blobs) == 5
        for digest in blobs:
            await in_thread(damage, blob(store, digest))
            (found,) = await in_thread(look, store)
            assert found.thing == digest
            inventory = await in_thread(gather, store.services, list)
            assert await mend_blob(store.services, inventory, Digest(digest), {}) == ""
            assert await in_thread(look, store) == []
        assert store.services.content.ingests() == []
        assert store.services.leases.leases() == []

    async def test_a_registry_that_is_gone_costs_nothing_more(
        self, store: Store, registry: FakeRegistry
    ) -> None:
        name = f"{registry.host}/x:1"
        await pull(
            store.services, Reference.parse(name), platform=None, auth=None, report=lambda _: None
        )
        layer = digest_bytes(gzip.compress(UPPER, mtime=0))
        rot(blob(store, layer))
        registry.blobs.clear()
        before = blob(store, layer).read_bytes()
        inventory = await in_thread(gather, store.services, list)
        reason = await mend_blob(store.services, inventory, layer, {})
        assert "blob unknown" in reason
        assert blob(store, layer).read_bytes() == before


def another_boot(store: Store) -> Store:
    """Make all that was committed so far, and is not settled, that of an earlier boot."""
    store.database.execute(
        "UPDATE snapshots SET unsettled_boot = 'an earlier one' WHERE unsettled_boot != ''"
    )
    store.database.execute("UPDATE unsettled_blobs SET boot = 'an earlier one'")
    return store


class TestAfterAPowerCut:
    """Rows are there, files may not be: the boot is another one than that of the commit."""

    @pytest.fixture
    def cut(self, loaded: Store) -> Store:
        return another_boot(loaded)

    def test_trees_that_were_not_written_are_unpacked_again(self, cut: Store) -> None:
        lower, upper = (tree_of(cut, chain_id) for chain_id in layers(cut))
        os.truncate(lower / "etc/base", 0)
        shutil.rmtree(upper / "etc")
        store = cut.reopened()
        recover(store.services)
        assert look(store) == []
        assert store.read("x:1", "etc/upper") == b"upper\n"
        assert store.services.snapshots.unsettled(before_boot=True) == []
        assert not lower.exists()

    def test_trees_that_were_written_stay(self, cut: Store) -> None:
        before = [tree_of(cut, chain_id) for chain_id in layers(cut)]
        store = cut.reopened()
        recover(store.services)
        assert [tree_of(store, chain_id) for chain_id in layers(store)] == before
        assert store.services.snapshots.unsettled(before_boot=False) == []

    def test_a_tree_of_no_image_goes_or_stays_with_its_container(self, cut: Store) -> None:
        services = cut.services
        services.snapshots.prepare("c", services.catalog.resolve("x:1").chain_id)
        cut.remove("x:1", force=True)
        store = cut.reopened()
        recover(store.services)
        assert len(store.snapshots()) == 3

    def test_blobs_whose_removal_was_not_written_down_are_back(self, loaded: Store) -> None:
        for digest, _ in loaded.services.content.walk():
            loaded.services.content.discard(digest)
        store = loaded.reopened()
        recover(store.services)
        assert look(store) == []


class TestOfLoadsAndAPowerCut:
    """What was loaded is there, or it is not: nothing half, and nothing else is lost."""

    LOSSES: ClassVar[dict[str, Callable[[Store], Path]]] = {
        "a layer": lambda store: blob(store, digest_bytes(UPPER)),
        "the lowest layer": lambda store: blob(store, digest_bytes(BASE)),
        "the config": lambda store: blob(store, _row(store)[0]),
        "the manifest": lambda store: blob(store, _row(store)[1]),
    }

    @pytest.mark.parametrize("damage", [rot, Path.unlink], ids=["rotten", "missing"])
    @pytest.mark.parametrize("lost", LOSSES)
    def test_an_image_that_is_not_whole_is_gone(
        self, loaded: Store, lost: str, damage: Callable[[Path], None]
    ) -> None:
        damage(self.LOSSES[lost](loaded))
        store = another_boot(loaded).reopened()
        recover(store.services)
        assert look(store) == []
        assert store.footprint() == {key: type(of)() for key, of in store.footprint().items()}
        asyncio.run(store.load(docker_archive(["x:1"], [BASE, UPPER])))
        assert store.read("x:1", "etc/upper") == b"upper\n"

    @pytest.mark.parametrize("names", [*combinations(LOSSES, 2), *combinations(LOSSES, 3)])
    def test_losses_together_leave_nothing_half(self, loaded: Store, names: Sequence[str]) -> None:
        (tree_of(loaded, layers(loaded)[0]) / "etc/base").write_bytes(b"")
        for path in [self.LOSSES[name](loaded) for name in names]:
            rot(path)
        store = another_boot(loaded).reopened()
        recover(store.services)
        assert look(store) == []
        assert (store.services.rows.all(), store.snapshots()) == ([], set())

    def test_a_container_on_it_fails_instead_of_reading_anything(self, loaded: Store) -> None:
        services = loaded.services
        services.snapshots.prepare("c", services.catalog.resolve("x:1").chain_id)
        rot(blob(loaded, digest_bytes(UPPER)))
        (tree_of(loaded, layers(loaded)[1]) / "etc/upper").write_bytes(b"")
        store = another_boot(loaded).reopened()
        recover(store.services)
        with pytest.raises(CorruptDataError, match="does not exist"):
            store.services.snapshots.mounts("c")

    def test_a_kill_in_between_changes_nothing(self, loaded: Store) -> None:
        rot(blob(loaded, digest_bytes(UPPER)))
        store = another_boot(loaded).reopened()
        blob(store, digest_bytes(UPPER)).unlink()  # as far as recovery came before
        recover(store.services)
        assert store.services.rows.all() == []
        assert store.services.unsettled.noted(before_boot=False) == []

    def test_a_whole_one_stays(self, loaded: Store) -> None:
        assert len(loaded.services.unsettled.noted(before_boot=False)) == 4
        store = another_boot(loaded).reopened()
        recover(store.services)
        assert store.read("x:1", "etc/upper") == b"upper\n"
        assert store.services.unsettled.noted(before_boot=False) == []

    def test_what_was_settled_is_not_read_again(self, loaded: Store) -> None:
        assert loaded.services.unsettled.settle() == 4
        rot(blob(loaded, digest_bytes(UPPER)))
        store = another_boot(loaded).reopened()
        recover(store.services)
        assert len(store.services.rows.all()) == 1

    def test_an_image_that_has_the_layer_from_elsewhere_stays(self, store: Store) -> None:
        asyncio.run(store.load(oci_archive("packed:1", [BASE, UPPER])))
        store.services.unsettled.settle()
        asyncio.run(store.load(docker_archive(["plain:1"], [BASE, UPPER])))
        rot(blob(store, digest_bytes(UPPER)))
        os.truncate(tree_of(store, layers_of(store, "packed:1")[1]) / "etc/upper", 0)
        again = another_boot(store).reopened()
        recover(again.services)
        assert [image.repo_tags for image in again.services.catalog.images()] == [("packed:1",)]
        assert again.read("packed:1", "etc/upper") == b"upper\n"
        assert look(again) == []

    def test_nothing_that_was_there_is_put_at_risk(self, loaded: Store) -> None:
        services = loaded.services
        noted = partial(services.unsettled.noted, before_boot=False)
        other = Tree().file("other", b"1").tar()

        def load(*names: str, layers: Sequence[bytes] = (other,)) -> None:
            asyncio.run(loaded.load(docker_archive(names, layers)))

        services.unsettled.settle()
        load("x:1")  # takes the name from another image
        assert noted() == []
        load("y:1", layers=[UPPER, other])
        assert len(noted()) > 0
        services.catalog.tag(services.catalog.resolve("y:1").id, Reference.parse("x:1"))
        assert noted() == []
        load("y:2", layers=[BASE, other])
        assert len(noted()) > 0
        loaded.remove("y:1", force=True)
        loaded.remove("x:1", force=True)
        assert noted() == []
        load("y:3", layers=[other, BASE])
        commit_snapshot(services, None, NewImage(services.catalog.resolve("y:3"), RunDefaults()))
        assert noted() == []

    def test_blobs_that_are_there_are_replaced_by_such_as_are_on_the_disk(
        self, loaded: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[str] = []

        def sync(descriptor: int) -> None:
            synced.append(os.readlink(f"/proc/self/fd/{descriptor}"))

        monkeypatch.setattr(os, "fsync", sync)
        asyncio.run(loaded.load(docker_archive(["x:1"], [BASE, UPPER])))
        assert len([path for path in synced if path.endswith("/data")]) == 2
        synced.clear()
        asyncio.run(loaded.load(docker_archive(["y:1"], [Tree().file("new", b"").tar()])))
        assert synced == []


def _is_empty(unsettled: Callable[..., Sequence[object]]) -> bool:
    return not unsettled(before_boot=False)


def test_layers_are_settled_soon_after_their_commit(store: Store) -> None:
    settling = Settling(store.services.snapshots, store.services.unsettled, delay_s=0.01)
    settling.start()
    try:
        asyncio.run(store.load(docker_archive(["x:1"], [BASE])))
        for unsettled in (store.services.snapshots.unsettled, store.services.unsettled.noted):
            eventually(partial(_is_empty, unsettled), "settled")
    finally:
        settling.close()


def test_what_an_engine_left_unsettled_the_next_one_settles(store: Store) -> None:
    asyncio.run(store.load(docker_archive(["x:1"], [BASE])))
    assert len(store.services.snapshots.unsettled(before_boot=False)) == 1
    settling = Settling(store.services.snapshots, store.services.unsettled, delay_s=0.01)
    settling.start()
    try:
        unsettled = store.services.snapshots.unsettled
        eventually(lambda: unsettled(before_boot=False) == [], "settled")
    finally:
        settling.close()
