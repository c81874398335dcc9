"""How removal, pruning, listing and checking scale with a thousand images of ten layers.

    PYTHONPATH=tests python bench/store.py [IMAGES]

Layers are tiny: what is measured are rows, documents and directories, not bytes.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from harness.archives import Tree
from harness.image_store import Store
from naru.db.images import ImageRow
from naru.images.checking.inventory import gather
from naru.linux import fs
from naru.oci import mediatype
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, DiffId, digest_bytes
from naru.oci.image_config import RunDefaults, build_image_config, chain_ids
from naru.oci.manifest import build_manifest
from naru.oci.platform import host_platform
from naru.oci.reference import Reference

_LAYERS = 10
_SHARED = 5


def main() -> None:
    """Fill a store, and time what users wait for."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    folder = Path(tempfile.mkdtemp(prefix="naru-bench-"))
    try:
        store = Store(folder)
        timed("fill", lambda: fill(store, count))
        measure(store, count)
        store.services.garbage.settle()
        store.database.close()
    finally:
        fs.remove_tree(folder)


def measure(store: Store, count: int) -> None:
    """Print milliseconds for each case."""
    services = store.services
    timed("list, first time", services.catalog.images)
    timed("list", services.catalog.images)
    timed("tag", lambda: services.catalog.tag(image_id(store, 1), Reference.parse("t:1")))
    timed("collect, nothing to do", services.garbage.collect)
    timed("rmi of one image", lambda: store.remove(f"bench/{count - 1}:1"))
    timed("gather for a quick check", lambda: gather(services, list))
    unused = [(image_id(store, number), [f"bench/{number}:1"]) for number in range(count // 2)]
    timed(
        f"prune of {len(unused)} images",
        lambda: services.catalog.remove_unused(unused, users=lambda _: []),
    )


def image_id(store: Store, number: int) -> str:
    return store.services.catalog.resolve(f"bench/{number}:1").id


def timed(what: str, work: Callable[[], object]) -> None:
    """Run and print."""
    begun = time.perf_counter()
    work()
    print(f"{what}: {(time.perf_counter() - begun) * 1000:.1f} ms", flush=True)


def fill(store: Store, count: int) -> None:
    """Add images of ten layers each, five of them shared by ten images."""
    images = []
    for number in range(count):
        names = [
            f"shared{number // 10}-{layer}" if layer < _SHARED else f"own{number}-{layer}"
            for layer in range(_LAYERS)
        ]
        images.append((add_image(store, number, names), [Reference.parse(f"bench/{number}:1")]))
    store.services.catalog.add(images)


def add_image(store: Store, number: int, names: list[str]) -> ImageRow:
    """Store one image whose layers hold a file each."""
    services = store.services
    tars = [Tree().file(name, name).tar() for name in names]
    diffs = [DiffId(services.content.add(tar)) for tar in tars]
    parent: ChainId | None = None
    for chain_id in chain_ids(diffs):
        if services.snapshots.stat(chain_id) is None:
            services.snapshots.prepare("filling", parent)
            services.snapshots.commit(chain_id, "filling")
            # Measured once, as by the first list of images.
            services.snapshots.usage(chain_id)
        parent = chain_id
    config = build_image_config(
        platform=host_platform(), diff_ids=diffs, config=RunDefaults(), author=str(number)
    )
    manifest = build_manifest(
        Descriptor(media_type=mediatype.OCI_CONFIG, digest=config.digest, size=len(config.raw)),
        [
            Descriptor(media_type=mediatype.OCI_LAYER, digest=digest_bytes(tar), size=len(tar))
            for tar in tars
        ],
    )
    for raw in (config.raw, manifest.raw):
        services.content.add(raw)
    return ImageRow(config.digest, manifest.digest, config.chain_id)


if __name__ == "__main__":
    main()
