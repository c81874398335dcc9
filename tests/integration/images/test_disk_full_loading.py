"""Loading onto a disk that fills up: said clearly, nothing left, and the next archive loads."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from harness.archives import Tree, docker_archive
from harness.disks import small_disk
from harness.image_store import Store
from harness.requirements import requires
from naru.errors import FaultError

pytestmark = requires("root")

SMALL = Tree().directory("etc").file("etc/base", b"base\n").tar()


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[Store]:
    # The database keeps 6 MB of it for itself, and an eighth stays free.
    with small_disk(tmp_path / "disk", "size=18m,nr_inodes=300") as place:
        store = Store(place / "data")
        yield store
        await store.close()


def _noise(name: str) -> bytes:
    return Tree().file(name, os.urandom(3 << 20)).tar()


async def test_an_image_that_does_not_fit_leaves_nothing_and_the_next_one_loads(
    small: Store,
) -> None:
    await small.load(docker_archive(["old:1"], [SMALL]))
    before = small.footprint()
    fits = docker_archive(["fits:1"], [_noise("only")])
    many = Tree()
    for number in range(400):
        many.file(f"many/{number}")
    for layers in ([SMALL, _noise("a"), _noise("b")], [SMALL, many.tar()]):
        with pytest.raises(FaultError, match="no space left on device"):
            await small.load(docker_archive(["big:1"], layers))
        assert small.footprint() == before
        assert small.services.content.ingests() == []
        assert await small.load(fits) == ["fits:1"]
        small.remove("fits:1")
        assert small.footprint() == before
    assert small.read("old:1", "etc/base") == b"base\n"
