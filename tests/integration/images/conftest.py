"""Image services on a real store: overlay snapshots, SQLite, blobs in a temporary folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from harness.image_store import Store
from naru.distribution.hosts import HostsConfig


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    made = Store(tmp_path / "data")
    yield made
    await made.close()


@pytest.fixture
async def make_store(tmp_path: Path) -> AsyncIterator[Callable[..., Store]]:
    made: list[Store] = []

    def make(hosts: HostsConfig | None = None) -> Store:
        made.append(Store(tmp_path / f"data{len(made)}", hosts))
        return made[-1]

    yield make
    for each in made:
        await each.close()
