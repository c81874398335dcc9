"""What is wrong is decided from facts alone, and told with whom it affects."""

from __future__ import annotations

from dataclasses import replace

from naru.db.images import ImageRow, NameRow
from naru.images.checking.findings import (
    Holder,
    ImageFacts,
    Inventory,
    find,
    layers_of,
    stack_below,
    wanted_blobs,
)
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, DiffId, Digest, digest_bytes
from naru.oci.image_config import RunDefaults, build_image_config, chain_ids
from naru.oci.manifest import build_manifest
from naru.oci.platform import host_platform
from naru.oci.reference import Reference
from naru.store.gc import Reachable
from naru.store.snapshotter import SnapshotInfo, Survey

DIFFS = [DiffId(digest_bytes(b"one")), DiffId(digest_bytes(b"two"))]
CHAIN = chain_ids(DIFFS)
CONFIG = build_image_config(platform=host_platform(), diff_ids=DIFFS, config=RunDefaults())
MANIFEST = build_manifest(
    Descriptor(media_type=mediatype.OCI_CONFIG, digest=CONFIG.digest, size=len(CONFIG.raw)),
    [Descriptor(media_type=mediatype.OCI_LAYER, digest=diff, size=3) for diff in DIFFS],
)
IMAGE = ImageFacts(
    ImageRow(CONFIG.digest, MANIFEST.digest, CHAIN[-1]),
    (NameRow(Reference.parse("x:1"), CONFIG.digest),),
    MANIFEST,
    CONFIG,
)
BLOBS: dict[Digest, int] = {
    CONFIG.digest: len(CONFIG.raw),
    MANIFEST.digest: len(MANIFEST.raw),
    **dict.fromkeys(DIFFS, 3),
}
WHOLE = Inventory(
    images=[IMAGE],
    dangling_names=[],
    blobs=BLOBS,
    snapshots={
        CHAIN[0]: SnapshotInfo(CHAIN[0], "committed", None),
        CHAIN[1]: SnapshotInfo(CHAIN[1], "committed", CHAIN[0]),
        "c": SnapshotInfo("c", "active", CHAIN[1]),
    },
    survey=Survey((), ()),
    reachable=Reachable(frozenset(BLOBS), frozenset([*CHAIN, "c"])),
    ingests=(),
    leased_ingests=(),
    expired_leases=(),
    holders=[Holder("c", "web", is_running=False, keys=("c",))],
    index_is_current=True,
    layers=layers_of([IMAGE]),
)


def without(digest: Digest) -> dict[Digest, int]:
    return {key: size for key, size in BLOBS.items() if key != digest}


def test_nothing_is_wrong_with_what_is_whole() -> None:
    assert find(WHOLE) == []


def test_a_missing_blob_is_told_once_with_all_its_images() -> None:
    other = replace(IMAGE, names=(NameRow(Reference.parse("y:2"), CONFIG.digest),))
    (found,) = find(replace(WHOLE, images=[IMAGE, other], blobs=without(DIFFS[1])))
    assert (found.kind, found.thing) == ("blob-missing", DIFFS[1])
    assert found.what == "layer 2 of 2 is missing"
    assert found.images == ("x:1", "y:2")


def test_a_blob_of_another_size_is_damaged() -> None:
    (found,) = find(replace(WHOLE, blobs={**BLOBS, DIFFS[0]: 2}))
    assert (found.kind, found.what) == ("blob-damaged", "layer 1 of 2 has 2 bytes, not 3")


def test_a_document_that_cannot_be_read_is_damaged() -> None:
    (found,) = find(replace(WHOLE, images=[replace(IMAGE, manifest=None)]))
    assert (found.kind, found.thing) == ("blob-damaged", MANIFEST.digest)


def test_a_missing_layer_affects_images_and_containers() -> None:
    left = {key: info for key, info in WHOLE.snapshots.items() if key != CHAIN[1]}
    (found,) = find(replace(WHOLE, snapshots=left))
    assert (found.kind, found.thing) == ("layer-missing", CHAIN[1])
    assert (found.images, found.containers) == (("x:1",), ("web",))


def test_what_stands_on_a_layer_follows_the_whole_stack() -> None:
    assert stack_below(WHOLE.snapshots, "c") == set(CHAIN)
    assert [holder.name for holder in WHOLE.holders_of_layer(CHAIN[0])] == ["web"]
    in_a_circle = {
        "a": SnapshotInfo("a", "committed", ChainId(Digest("b"))),
        "b": SnapshotInfo("b", "committed", ChainId(Digest("a"))),
    }
    assert stack_below(in_a_circle, "a") == {"a", "b"}


def test_an_index_is_needed_by_who_was_pulled_through_it() -> None:
    index = digest_bytes(b"index")
    name = NameRow(Reference.parse(f"x@{index}"), CONFIG.digest, MANIFEST.digest)
    assert wanted_blobs(replace(IMAGE, names=(name,)))[index] == "index"
