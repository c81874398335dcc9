"""What a registry has, told without fetching it."""

from __future__ import annotations

import gzip

import pytest

from fakes.fake_registry import OCI_INDEX, OCI_MANIFEST, FakeRegistry
from harness.archives import Tree, image_config
from harness.image_store import Store
from naru.distribution.auth import RegistryAuth
from naru.errors import CorruptDataError, InvalidInputError, NaruError, NotFoundError
from naru.images.remote_inspect import inspect_remote
from naru.oci.platform import Platform

LAYER = Tree().file("f", b"x").tar()
PACKED = gzip.compress(LAYER, mtime=0)
AMD64 = Platform(os="linux", architecture="amd64")


async def test_an_image_is_told_and_nothing_of_it_is_kept(store: Store) -> None:
    before = store.footprint()
    async with FakeRegistry() as registry:
        digest = registry.add_image("x", "latest", image_config([LAYER], {}), [PACKED])
        for name in (f"{registry.host}/x", f"{registry.host}/x@{digest}"):
            found = await inspect_remote(store.services, name, None)
            assert found.descriptor.digest == digest
            assert found.descriptor.media_type == OCI_MANIFEST
            assert found.descriptor.size == len(registry.manifests["x", "latest"][0])
            assert found.platforms == (AMD64,)
        fetched = [path for path in registry.paths() if "/blobs/" in path]
        assert len(fetched) == 2, "configs, and no layers"
    assert store.footprint() == before


async def test_an_index_tells_the_platforms_of_its_images(store: Store) -> None:
    async with FakeRegistry() as registry:
        one = registry.add_image("x", "one", image_config([LAYER], {}), [PACKED])
        arm = {"os": "linux", "architecture": "arm", "variant": "v7"}
        digest = registry.add_index(
            "x", "all", [(one, {"os": "linux", "architecture": "amd64"}), (one, arm)]
        )
        found = await inspect_remote(store.services, f"{registry.host}/x:all", None)
    assert (found.descriptor.digest, found.descriptor.media_type) == (digest, OCI_INDEX)
    assert found.platforms == (AMD64, Platform(os="linux", architecture="arm", variant="v7"))


async def test_an_artifact_has_no_platform(store: Store) -> None:
    async with FakeRegistry() as registry:
        registry.add_image("x", "latest", b'{"some": "thing"}', [])
        found = await inspect_remote(store.services, f"{registry.host}/x", None)
    assert found.platforms == ()


async def test_a_login_opens_what_is_not_public(store: Store) -> None:
    async with FakeRegistry(auth="bearer", users={"me": "secret"}) as registry:
        digest = registry.add_image("x", "latest", image_config([LAYER], {}), [PACKED])
        with pytest.raises(NaruError, match=r"denied|unauthorized|authentication required"):
            await inspect_remote(store.services, f"{registry.host}/x", None)
        auth = RegistryAuth(username="me", password="secret")
        found = await inspect_remote(store.services, f"{registry.host}/x", auth)
    assert found.descriptor.digest == digest


async def test_what_is_not_there_or_not_true_is_an_error(store: Store) -> None:
    async with FakeRegistry() as registry:
        with pytest.raises(NotFoundError):
            await inspect_remote(store.services, f"{registry.host}/none", None)
        config = image_config([LAYER], {})
        registry.add_image("x", "latest", config, [])
        registry.faults.wrong_bytes[registry.add_blob(config)] = bytes(len(config))
        with pytest.raises(CorruptDataError, match="the registry sent other bytes"):
            await inspect_remote(store.services, f"{registry.host}/x", None)
    for name in ("UP", "", "0" * 64, f"sha256:{'0' * 64}"):
        with pytest.raises(InvalidInputError):
            await inspect_remote(store.services, name, None)
