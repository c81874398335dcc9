"""Volumes whose content is mounted: tmpfs, binds, and what cannot be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.requirements import requires
from naru.clock import SystemClock
from naru.db.database import Database
from naru.errors import FaultError
from naru.linux.mountinfo import mounts_under
from naru.volumes.volumes import Volumes

pytestmark = requires("root")


@pytest.fixture
def volumes(tmp_path: Path) -> Iterator[Volumes]:
    database = Database(tmp_path / "naru.db")
    made = Volumes(tmp_path / "volumes", database, SystemClock())
    made.repair()
    yield made
    for volume in made.list():
        made.remove(volume.name)
    database.close()
    assert not mounts_under(tmp_path)


def test_a_tmpfs_is_mounted_on_use_and_once(volumes: Volumes, tmp_path: Path) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,nosuid"}
    volumes.create("fast", options=options)
    assert not mounts_under(tmp_path)
    path = volumes.path("fast")
    volumes.path("fast")
    (entry,) = mounts_under(tmp_path)
    assert (entry.target, entry.type) == (path, "tmpfs")
    assert "nosuid" in entry.options
    assert os.statvfs(path).f_blocks * os.statvfs(path).f_frsize == 1 << 20
    assert volumes.usage("fast") == 0
    volumes.unmount("fast")
    volumes.unmount("fast")
    assert not mounts_under(tmp_path)


def test_removing_a_bind_leaves_its_source_alone(volumes: Volumes, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "precious").write_text("x")
    volumes.create("bound", options={"type": "none", "device": str(source), "o": "bind"})
    assert os.listdir(volumes.path("bound")) == ["precious"]
    volumes.remove("bound")
    assert (source / "precious").read_text() == "x"
    assert not mounts_under(tmp_path)


def test_what_cannot_be_mounted_is_said_in_dockers_words(volumes: Volumes) -> None:
    volumes.create("lost", options={"type": "none", "device": "/nonesuch", "o": "bind"})
    with pytest.raises(FaultError) as caught:
        volumes.path("lost")
    assert caught.value.message.startswith("error while mounting volume '")
    assert "failed to mount local volume: mount /nonesuch:" in caught.value.message
    assert caught.value.message.endswith("flags: 0x1000: no such file or directory")
