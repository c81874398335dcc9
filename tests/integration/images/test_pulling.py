"""Pulling from a registry that misbehaves into a real store."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from fakes.fake_registry import FakeRegistry
from harness.archives import Tree, docker_archive, image_config
from harness.image_store import Store
from harness.requirements import requires
from harness.waiting import eventually_async
from naru.distribution.auth import RegistryAuth
from naru.distribution.hosts import HostsConfig
from naru.errors import CorruptDataError, FaultError, NotFoundError, NotSupportedError
from naru.images.catalog import Image
from naru.images.pull import pull
from naru.images.recover import recover
from naru.oci.platform import Platform, host_platform, parse_platform
from naru.oci.reference import Reference

pytestmark = requires("root")

BASE = Tree().directory("etc").file("etc/base", b"base\n").tar()
UPPER = Tree().file("etc/upper", os.urandom(3 << 20)).tar()
TOP = Tree().file("top", b"top\n").file(".wh.none").tar()
LAYERS = [BASE, UPPER, TOP]
_DENIED = (
    "repository does not exist or may require 'docker login': "
    "denied: requested access to the resource is denied"
)
_UNKNOWN = "name unknown: repository name not known to registry"
ARM = Platform(os="linux", architecture="arm64")


def add_image(
    registry: FakeRegistry,
    tag: str = "1",
    *,
    repository: str = "x",
    architecture: str = "amd64",
    label: str = "",
) -> str:
    labels = {"Labels": {"l": label}} if label else {}
    config = image_config(LAYERS, {"Cmd": ["sh"], **labels}).replace(
        b"amd64", architecture.encode()
    )
    return registry.add_image(
        repository, tag, config, [gzip.compress(layer, 1, mtime=0) for layer in LAYERS]
    )


async def pulled(
    store: Store,
    registry: FakeRegistry,
    name: str = "x:1",
    *,
    platform: Platform | None = None,
    auth: RegistryAuth | None = None,
    all_tags: bool = False,
) -> Image:
    return await pull(
        store.services,
        Reference.parse(f"{registry.host}/{name}"),
        platform=platform,
        auth=auth,
        all_tags=all_tags,
        report=store.records.append,
    )


def statuses(store: Store) -> list[str]:
    return [record["status"] for record in store.records]


async def test_pull_of_a_new_image(store: Store) -> None:
    async with FakeRegistry() as registry:
        digest = add_image(registry)
        image = await pulled(store, registry)
        assert image.repo_tags == (f"{registry.host}/x:1",)
        assert image.repo_digests == (f"{registry.host}/x@{digest}",)
        assert image.manifest_digest == digest
        assert store.read(image.id, "top") == b"top\n"
        first, *_, told_digest, status = store.records
        assert first == {"status": "Pulling from x", "id": "1"}
        assert told_digest == {"status": f"Digest: {digest}"}
        assert status == {"status": f"Status: Downloaded newer image for {registry.host}/x:1"}
    assert statuses(store).count("Pull complete") == 3
    assert store.services.leases.leases() == []
    assert store.services.content.ingests() == []


async def test_layers_report_every_step_in_order(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        await pulled(store, registry)
    layers = {record["id"] for record in store.records if record["status"] == "Pulling fs layer"}
    assert len(layers) == 3
    for layer in layers:
        seen = [r["status"] for r in store.records if r.get("id") == layer]
        steps = list(dict.fromkeys(seen))
        assert steps[0] == "Pulling fs layer"
        wanted = ["Downloading", "Verifying Checksum", "Download complete", "Extracting"]
        assert [step for step in steps if step in wanted] == wanted
        assert steps[-1] == "Pull complete"


async def test_second_pull_fetches_nothing(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        await pulled(store, registry)
        registry.requests.clear()
        store.records.clear()
        await pulled(store, registry)
        assert registry.paths("GET") == ["/v2/"]
    assert statuses(store)[-1].startswith("Status: Image is up to date for ")


async def test_tag_that_moved_is_followed_and_shared_layers_stay(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        old = await pulled(store, registry)
        add_image(registry, architecture="386")
        store.records.clear()
        registry.requests.clear()
        new = await pulled(store, registry)
        assert len([path for path in registry.paths() if "/blobs/" in path]) == 1
    assert new.id != old.id
    assert statuses(store).count("Already exists") == 3
    assert "Downloaded newer image" in statuses(store)[-1]
    assert store.services.catalog.resolve(old.id).repo_tags == ()


async def test_pull_by_digest_gives_no_tag(store: Store) -> None:
    async with FakeRegistry() as registry:
        digest = add_image(registry)
        image = await pulled(store, registry, f"x@{digest}")
        assert (image.repo_tags, len(image.repo_digests)) == ((), 1)


async def test_index_gives_the_image_for_this_host_or_for_the_one_asked_for(store: Store) -> None:
    async with FakeRegistry() as registry:
        host = host_platform()
        ours = add_image(registry, "ours", architecture=host.architecture)
        arm = add_image(registry, "arm", architecture="s390x")
        index = registry.add_index(
            "x",
            "1",
            [
                (arm, {"os": "linux", "architecture": "s390x"}),
                (ours, {"os": "linux", "architecture": host.architecture}),
            ],
        )
        image = await pulled(store, registry)
        assert image.manifest_digest == ours
        assert image.repo_digests == (f"{registry.host}/x@{index}",)
        other = await pulled(store, registry, platform=Platform(os="linux", architecture="s390x"))
        assert other.config.architecture == "s390x"
        with pytest.raises(NotFoundError, match="no matching manifest for linux/riscv64"):
            await pulled(store, registry, platform=Platform(os="linux", architecture="riscv64"))
        store.services.garbage.collect()
        assert store.services.content.stat(image.manifest_digest) is not None


async def test_index_gives_the_best_variant_and_never_an_attestation(store: Store) -> None:
    variants = {
        "arm/v6": {"os": "linux", "architecture": "arm", "variant": "v6"},
        "arm/v5": {"os": "linux", "architecture": "arm", "variant": "v5"},
        "amd64/v3": {"os": "linux", "architecture": "amd64", "variant": "v3"},
        "amd64": {"os": "linux", "architecture": "amd64"},
        "arm64": {"os": "linux", "architecture": "arm64", "variant": "v8"},
        "windows": {"os": "windows", "architecture": "amd64", "os.version": "10.0.17763.1"},
    }
    async with FakeRegistry() as registry:
        known = {name: add_image(registry, name.replace("/", "-"), label=name) for name in variants}
        attestation = {"os": "unknown", "architecture": "unknown"}
        entries = [(digest, variants[name]) for name, digest in known.items()]
        registry.add_index("x", "1", [(known["amd64"], attestation), *entries])
        for wanted, expected in (
            ("arm/v7", "arm/v6"),
            ("arm/v5", "arm/v5"),
            ("amd64", "amd64"),
            ("amd64/v2", "amd64"),
            ("amd64/v4", "amd64/v3"),
            ("arm64", "arm64"),
        ):
            await pulled(store, registry, platform=parse_platform(f"linux/{wanted}"))
            labels = store.services.catalog.resolve(f"{registry.host}/x:1").config.config.labels
            assert labels == {"l": expected}, wanted
        # Without a platform it is this host's, whatever was pulled before.
        host = host_platform().architecture
        image = await pulled(store, registry)
        assert image.config.config.labels == {"l": host}
        registry.requests.clear()
        assert await pulled(store, registry) == image
        assert not [path for path in registry.paths() if "/blobs/" in path]
        for nothing in ("linux/s390x", "linux/riscv64", "unknown/unknown2"):
            with pytest.raises(NotFoundError, match="no matching manifest for"):
                await pulled(store, registry, platform=parse_platform(nothing))


async def test_image_of_another_platform_is_pulled_with_a_warning(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        await pulled(store, registry, platform=ARM)
    assert statuses(store)[-1].endswith("wanted linux/arm64, actual: linux/amd64")


async def test_pull_by_tag_and_digest_goes_by_the_digest(store: Store) -> None:
    async with FakeRegistry() as registry:
        digest = add_image(registry)
        moved = add_image(registry, label="moved")
        image = await pulled(store, registry, f"x:1@{digest}")
        assert image.manifest_digest == digest != moved
        assert image.repo_tags == ()
        assert store.records[0]["id"] == f"{registry.host}/x@{digest}"
        registry.manifests["x", digest] = registry.manifests["x", moved]
        store.remove(image.id)
        with pytest.raises(CorruptDataError, match=f"manifest verification failed for.*{digest}"):
            await pulled(store, registry, f"x@{digest}")


async def test_all_tags_of_a_repository_are_pulled(store: Store) -> None:
    async with FakeRegistry() as registry:
        for tag in ("1", "2", "3"):
            add_image(registry, tag)
        image = await pulled(store, registry, "x", all_tags=True)
        assert image.repo_tags == tuple(f"{registry.host}/x:{tag}" for tag in "123")


async def test_many_pulls_at_once_fetch_every_blob_once(store: Store) -> None:
    async with FakeRegistry() as registry:
        for tag in "12345":
            add_image(registry, tag)
        await asyncio.gather(*(pulled(store, registry, f"x:{tag}") for tag in "12345" * 2))
        blobs = [path for path in registry.paths() if "/blobs/" in path]
        assert len(blobs) == len(set(blobs))
    assert store.services.leases.leases() == []


async def test_whoever_waits_for_the_pull_of_another_sees_how_it_comes(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        add_image(registry, repository="y", label="y")
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        registry.faults.hang_after[big] = [2 << 20]
        seen: dict[int, list[dict[str, Any]]] = {}
        pulls = []
        for number, name in enumerate(("x:1", "x:1", "y:1")):
            reference = Reference.parse(f"{registry.host}/{name}")
            seen[number] = []
            work = pull(
                store.services, reference, platform=None, auth=None, report=seen[number].append
            )
            pulls.append(asyncio.ensure_future(work))
            for _ in range(500):
                if downloaded(seen[number], big):
                    break
                await asyncio.sleep(0.01)
        for records in seen.values():
            assert 0 < max(downloaded(records, big)) <= 2 << 20
        registry.flows.set()
        images = await asyncio.gather(*pulls)
        assert len({image.id for image in images}) == 2
        for records in seen.values():
            assert downloaded(records, big)[-1] == len(registry.blobs[big])
            said = [r["status"] for r in records if r.get("id") == big[7:19]]
            assert (said[0], said[-1]) == ("Pulling fs layer", "Pull complete")
            assert "Verifying Checksum" in said
            assert records[-1]["status"].startswith("Status: Downloaded newer image")
        assert len([path for path in registry.paths() if big in path]) == 1
        assert not store.services.pulls
        assert store.services.leases.leases() == []
    await store.services.close()


def downloaded(records: list[dict[str, Any]], digest: str) -> list[int]:
    """Return how many bytes of a blob had come, each time that it was told."""
    return [
        record["progressDetail"]["current"]
        for record in records
        if record["status"] == "Downloading" and record["id"] == digest[7:19]
    ]


async def test_pulls_of_one_name_end_each_by_itself(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        registry.faults.hang_after[big] = [2 << 20]
        one, other = (asyncio.ensure_future(pulled(store, registry)) for _ in range(2))
        await asyncio.sleep(0.3)
        one.cancel()
        with pytest.raises(asyncio.CancelledError):
            await one
        # What has come is under the lease that the other one has as well.
        assert len(store.services.leases.leases()) == 1
        registry.flows.set()
        assert (await other).repo_tags == (f"{registry.host}/x:1",)
        assert store.services.leases.leases() == []
    await store.services.close()


@pytest.mark.parametrize("is_known", [False, True])
@pytest.mark.parametrize("is_before", [False, True])
async def test_an_image_that_is_removed_while_it_is_pulled_is_there_or_was(
    store: Store, monkeypatch: pytest.MonkeyPatch, *, is_known: bool, is_before: bool
) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        if is_known:
            await pulled(store, registry)
        catalog, name = store.services.catalog, f"{registry.host}/x:1"
        adding = catalog.add_pulled

        def add(*what: Any) -> Image:
            if is_before and is_known:
                store.remove(name)
            image = adding(*what)
            if not is_before:
                store.remove(name)
            return image

        monkeypatch.setattr(catalog, "add_pulled", add)
        image = await pulled(store, registry)
        assert image.repo_tags == (name,)
        assert image.size >= 3 << 20
        assert statuses(store)[-1].startswith("Status: ")
        if is_before:
            assert catalog.resolve(name) == image
            assert store.read(name, "top") == b"top\n"
        else:
            with pytest.raises(NotFoundError):
                catalog.resolve(name)
    assert store.services.leases.leases() == []
    await store.services.close()


async def test_layers_are_unpacked_in_turn_where_too_many_come_at_once(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        async with contextlib.AsyncExitStack() as others:
            while not store.services.early_unpacks.locked():
                await others.enter_async_context(store.services.early_unpacks)
            image = await pulled(store, registry)
            assert store.read(image.id, "top") == b"top\n"
    assert statuses(store).count("Pull complete") == 3


async def test_pull_goes_on_after_cuts(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        registry.faults.cut_after[big] = [1_500_000]
        image = await pulled(store, registry)
        assert [h.get("Range", "")[:6] for _, p, h in registry.requests if p.endswith(big)] == [
            "",
            "bytes=",
        ]
        assert store.read(image.id, "top") == b"top\n"


async def test_cancelled_pull_is_resumed(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        registry.faults.hang_after[big] = [2_200_000]
        task = asyncio.ensure_future(pulled(store, registry))
        await eventually_async(
            lambda: (
                len(store.blobs()) == 4
                and [size >= 1 << 20 for _, size in store.services.content.ingests()] == [True]
            ),
            "all is there but one layer, and of that a MiB",
        )
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        store.services.garbage.collect()
        ((key, size),) = store.services.content.ingests()
        assert key.endswith(big)
        assert size >= 1 << 20
        registry.requests.clear()
        await pulled(store, registry)
        ranges = {p.rpartition("/")[2]: h.get("Range") for _, p, h in registry.requests}
        assert ranges[big] == f"bytes={size}-"
    assert store.services.leases.leases() == []
    assert store.services.content.ingests() == []


async def test_wrong_bytes_change_nothing_and_leave_nothing(store: Store) -> None:
    before = store.footprint()
    async with FakeRegistry() as registry:
        add_image(registry)
        big = max(registry.blobs, key=lambda digest: len(registry.blobs[digest]))
        data = bytearray(registry.blobs[big])
        data[len(data) // 2] ^= 1
        registry.faults.wrong_bytes[big] = bytes(data)
        with pytest.raises(
            CorruptDataError, match=f"^filesystem layer verification failed for digest {big}$"
        ):
            await pulled(store, registry)
        assert registry.paths().count(f"/v2/x/blobs/{big}") == 2
    assert store.footprint() == before


async def test_layers_that_are_not_the_configs_are_refused(store: Store) -> None:
    before = store.footprint()
    async with FakeRegistry() as registry:
        layers = [gzip.compress(layer, mtime=0) for layer in (BASE, TOP, UPPER)]
        registry.add_image("x", "order", image_config(LAYERS, {}), layers)
        registry.add_image("x", "count", image_config(LAYERS, {}), layers[:2])
        with pytest.raises(CorruptDataError, match="invalid diffID for layer 1"):
            await pulled(store, registry, "x:order")
        with pytest.raises(CorruptDataError, match="layers from manifest don't match"):
            await pulled(store, registry, "x:count")
    assert store.footprint() == before


async def test_what_is_no_image_is_refused(store: Store) -> None:
    before = store.footprint()
    async with FakeRegistry() as registry:
        digest = add_image(registry)
        document: dict[str, Any] = json.loads(registry.manifests["x", digest][0])
        document["config"]["mediaType"] = "application/vnd.cncf.helm.config.v1+json"
        registry.put_manifest("x", "chart", json.dumps(document).encode())
        with pytest.raises(NotSupportedError, match="no container image"):
            await pulled(store, registry, "x:chart")
    assert store.footprint() == before


async def test_refusals_in_dockers_words(store: Store) -> None:
    async with FakeRegistry(auth="bearer", users={"me": "pw"}) as registry:
        add_image(registry)
        host = registry.host
        good, bad = RegistryAuth("me", "pw"), RegistryAuth("me", "no")
        cases: list[tuple[str, RegistryAuth | None, type[Exception], str]] = [
            (
                "x:1",
                None,
                NotFoundError,
                f"pull access denied for {host}/x, {_DENIED}",
            ),
            (
                "x:2",
                good,
                NotFoundError,
                f"manifest for {host}/x:2 not found: manifest unknown: manifest unknown",
            ),
            (
                "y:1",
                good,
                NotFoundError,
                f"repository {host}/y not found: {_UNKNOWN}",
            ),
        ]
        for name, auth, kind, message in cases:
            with pytest.raises(kind) as caught:
                await pulled(store, registry, name, auth=auth)
            assert str(caught.value) == message
        with pytest.raises(FaultError, match="unauthorized: incorrect username or password"):
            await pulled(store, registry, auth=bad)
        assert store.records == []
        assert store.services.leases.leases() == []
        await pulled(store, registry, auth=good)


async def test_mirror_of_any_registry(make_store: Callable[..., Store]) -> None:
    async with FakeRegistry() as mirror:
        add_image(mirror, repository="team/x")
        store = make_store(HostsConfig(mirrors=(f"nowhere.invalid=http://{mirror.host}",)))
        image = await pull(
            store.services,
            Reference.parse("nowhere.invalid/team/x:1"),
            platform=None,
            auth=None,
            report=store.records.append,
        )
        assert image.repo_tags == ("nowhere.invalid/team/x:1",)


async def test_loaded_image_that_is_pulled_gets_the_registrys_manifest(store: Store) -> None:
    async with FakeRegistry() as registry:
        digest = add_image(registry)
        await store.load(docker_archive(["local:1"], LAYERS))
        before = store.services.catalog.resolve("local:1")
        snapshots = store.snapshots()
        image = await pulled(store, registry)
        assert image.id == before.id
        assert image.manifest_digest == digest
        assert image.repo_tags == (f"{registry.host}/x:1", "local:1")
        assert store.snapshots() == snapshots


async def test_lost_blob_is_fetched_again(store: Store) -> None:
    async with FakeRegistry() as registry:
        add_image(registry)
        image = await pulled(store, registry)
        store.services.content.delete(image.manifest_digest)
        recover(store.services)
        await pulled(store, registry)
        assert store.services.content.stat(image.manifest_digest) is not None
