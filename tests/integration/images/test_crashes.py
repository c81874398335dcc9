"""The engine is killed at every fault point of load, import, pull and remove, and starts again."""

from __future__ import annotations

import asyncio
import gzip
import os
import subprocess
import sys
from pathlib import Path

import pytest

import naru.images.services  # noqa: F401 - registers the fault points of all it uses
from fakes.fake_registry import FakeRegistry
from harness.archives import Tree, docker_archive, image_config
from harness.image_store import Store
from harness.requirements import requires
from naru import faults
from naru.images import load, pull, recover, tarball_import  # noqa: F401 - likewise
from naru.images.commit import NewImage, commit_snapshot
from naru.linux import mount
from naru.oci.image_config import RunDefaults
from naru.oci.manifest import MAX_MANIFEST_SIZE, Manifest, parse_manifest
from naru.oci.reference import Reference

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").tar()
UPPER = Tree().file("etc/upper", b"upper\n").tar()
TOP = Tree().file("top", b"top\n").file(".wh.etc").tar()
LAYERS = [BASE, UPPER, TOP]

# What the killed process does; sys.argv: folder, act, argument.
_VICTIM = """
import asyncio, sys
from pathlib import Path
from harness.image_store import Store
from naru.images.commit import NewImage, commit_snapshot
from naru.images.load import load
from naru.images.pull import pull
from naru.images.tarball_import import import_image
from naru.oci.image_config import RunDefaults
from naru.oci.reference import Reference

async def chunks(path):
    yield Path(path).read_bytes()

async def main():
    folder, act, argument = sys.argv[1:]
    store = Store(Path(folder))
    if act == "load-kept":
        await load(store.services, chunks(argument), quiet=True, keep="x", report=lambda _: None)
    elif act == "load":
        await store.load(Path(argument).read_bytes())
    elif act == "import":
        await import_image(store.services, chunks(argument), reference=Reference.parse("x:1"),
                           changes=[], message="", platform=None)
    elif act == "pull":
        await pull(store.services, Reference.parse(argument), platform=None, auth=None,
                   report=lambda _: None)
    elif act == "commit":
        base = store.services.catalog.resolve(argument)
        commit_snapshot(store.services, "container", NewImage(
            base, RunDefaults(), names=[Reference.parse("made:1")]))
    elif act == "remove":
        store.remove(argument)
    await store.services.close()

asyncio.run(main())
"""


def run_victim(folder: Path, act: str, argument: str, fault: str = "") -> int:
    environment = dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path), NARU_FAULT=fault)
    done = subprocess.run(
        [sys.executable, "-c", _VICTIM, str(folder), act, argument],
        env=environment,
        capture_output=True,
        check=False,
        timeout=60,
    )
    if done.returncode not in (0, -9):
        pytest.fail(done.stderr.decode())
    return done.returncode


def assert_whole(store: Store) -> None:
    """Assert that every image is complete, and that nothing else is there."""
    wanted_blobs: set[str] = set()
    wanted_snapshots: set[str] = set()
    for image in store.services.catalog.images():
        raw = store.services.content.read(image.manifest_digest, MAX_MANIFEST_SIZE)
        manifest = parse_manifest(raw)
        assert isinstance(manifest, Manifest)
        wanted_blobs |= {image.manifest_digest, manifest.config.digest}
        wanted_blobs |= {layer.digest for layer in manifest.layers}
        wanted_snapshots |= set(store.services.snapshots.chain(image.chain_id))
    leased_snapshots = store.services.leases.items("snapshot")
    assert wanted_snapshots <= store.snapshots() <= wanted_snapshots | leased_snapshots
    directories = [entry for entry in os.listdir(store.root / "snapshots") if entry[0].isdigit()]
    assert len(directories) == len(store.snapshots())
    leased = store.services.leases.items("blob")
    assert wanted_blobs <= store.blobs() <= wanted_blobs | leased


def points(*prefixes: str) -> list[str]:
    return [name for name in faults.registered() if name.startswith(prefixes)]


_COMMON = ("images.unpack.", "store.ingest.", "store.content.", "store.snapshot.")


def images_of(store: Store) -> list[tuple[str, ...]]:
    return [image.repo_tags for image in store.services.catalog.images()]


@pytest.mark.parametrize("fault", points("images.load.", *_COMMON))
@pytest.mark.parametrize("nth", [1, 3])
def test_killed_load_is_all_or_nothing(tmp_path: Path, fault: str, nth: int) -> None:
    archive = tmp_path / "x.tar"
    archive.write_bytes(docker_archive(["x:1"], LAYERS))
    run_victim(tmp_path / "data", "load", str(archive), f"{fault}=kill:{nth}")
    store = Store(tmp_path / "data")
    recover.recover(store.services)
    assert_whole(store)
    assert store.services.leases.leases() == []
    assert store.services.content.ingests() == []
    assert asyncio.run(store.load(archive.read_bytes())) == ["x:1"]
    assert store.read("x:1", "top") == b"top\n"
    assert store.read("x:1", "etc/upper") is None
    assert_whole(store)


def test_killed_load_that_is_to_keep_leaves_no_write_that_nobody_goes_on_with(
    tmp_path: Path,
) -> None:
    archive = tmp_path / "x.tar"
    archive.write_bytes(docker_archive(["x:1"], LAYERS))
    data = tmp_path / "data"
    # The first layer is kept, and the second is not whole.
    assert run_victim(data, "load-kept", str(archive), "store.ingest.before_commit=kill:2") == -9
    store = Store(data)
    assert store.services.content.ingests()
    recover.recover(store.services)
    assert store.services.content.ingests() == []
    assert len(store.blobs()) == 1
    assert_whole(store)


@pytest.mark.parametrize("fault", points("images.import."))
def test_killed_import_is_all_or_nothing(tmp_path: Path, fault: str) -> None:
    archive = tmp_path / "x.tar"
    archive.write_bytes(BASE)
    assert run_victim(tmp_path / "data", "import", str(archive), f"{fault}=kill") == -9
    store = Store(tmp_path / "data")
    recover.recover(store.services)
    assert images_of(store) == []
    assert_whole(store)
    assert store.blobs() == set()


@pytest.mark.parametrize("fault", points("images.commit.", "images.unpack.", "store.snapshot.b"))
def test_killed_commit_is_all_or_nothing(tmp_path: Path, fault: str) -> None:
    store = Store(tmp_path / "data")
    asyncio.run(store.load(docker_archive(["x:1"], [BASE])))
    base = store.services.catalog.resolve("x:1")
    with mount.detached(store.services.snapshots.prepare("container", base.chain_id)) as root:
        Path(f"/proc/self/fd/{root}/etc/base").write_text("changed")
    before = store.footprint()
    run_victim(tmp_path / "data", "commit", "x:1", f"{fault}=kill")
    store = store.reopened()
    recover.recover(store.services)
    if images_of(store) == [("x:1",)]:
        assert store.footprint() == before
    new = NewImage(base, RunDefaults(), names=[Reference.parse("made:1")])
    commit_snapshot(store.services, "container", new)
    assert store.read("made:1", "etc/base") == b"changed"
    store.services.snapshots.remove("container")
    assert_whole(store)
    assert store.services.leases.leases() == []


@pytest.mark.parametrize("fault", points("images.pull.", *_COMMON))
@pytest.mark.parametrize("nth", [1, 2])
async def test_killed_pull_is_taken_up_again(tmp_path: Path, fault: str, nth: int) -> None:
    async with FakeRegistry() as registry:
        layers = [gzip.compress(layer, mtime=0) for layer in LAYERS]
        registry.add_image("x", "1", image_config(LAYERS, {}), layers)
        name = f"{registry.host}/x:1"
        await asyncio.to_thread(run_victim, tmp_path / "data", "pull", name, f"{fault}=kill:{nth}")
        store = Store(tmp_path / "data")
        recover.recover(store.services)
        assert_whole(store)
        kept = store.blobs()
        registry.requests.clear()
        await asyncio.to_thread(run_victim, tmp_path / "data", "pull", name)
        fetched = {path.rpartition("/")[2] for path in registry.paths() if "/blobs/" in path}
        assert not fetched & kept
    assert store.read(name, "top") == b"top\n"
    assert_whole(store)
    assert store.services.leases.leases() == []


@pytest.mark.parametrize(
    "fault", points("images.remove.", "store.gc.", "store.snapshot.remove", "store.content.")
)
def test_killed_remove_leaves_the_image_whole_or_gone(tmp_path: Path, fault: str) -> None:
    store = Store(tmp_path / "data")
    asyncio.run(store.load(docker_archive(["x:1"], LAYERS)))
    asyncio.run(store.load(docker_archive(["y:1"], [BASE])))
    run_victim(tmp_path / "data", "remove", "x:1", f"{fault}=kill")
    store = store.reopened()
    recover.recover(store.services)
    assert_whole(store)
    assert images_of(store) in ([("y:1",)], [("x:1",), ("y:1",)], [("y:1",), ("x:1",)])
    assert store.read("y:1", "etc/base") == b"base\n"


def test_recovering_touches_no_container(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    asyncio.run(store.load(docker_archive(["x:1"], LAYERS)))
    image = store.services.catalog.resolve("x:1")
    store.services.snapshots.prepare("container", image.chain_id)
    store.remove("x:1", force=True)
    store = store.reopened()
    recover.recover(store.services)
    assert "container" in store.snapshots()
    assert set(store.services.snapshots.chain(image.chain_id)) < store.snapshots()


def test_image_that_lost_its_config_is_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    asyncio.run(store.load(docker_archive(["x:1"], LAYERS)))
    asyncio.run(store.load(docker_archive(["y:1"], [BASE])))
    store.services.content.delete(store.services.catalog.resolve("x:1").config.digest)
    store = store.reopened()
    recover.recover(store.services)
    assert images_of(store) == [("y:1",)]
    assert_whole(store)


def test_recovering_a_healthy_store_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    asyncio.run(store.load(docker_archive(["x:1"], LAYERS)))
    before = store.footprint()
    for _ in range(2):
        store = store.reopened()
        recover.recover(store.services)
        assert store.footprint() == before
