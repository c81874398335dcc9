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
    path = volumes.uses.mount("fast", "first")
    volumes.uses.mount("fast", "second")
    (entry,) = mounts_under(tmp_path)
    assert (entry.target, entry.type) == (path, "tmpfs")
    assert "nosuid" in entry.options
    assert os.statvfs(path).f_blocks * os.statvfs(path).f_frsize == 1 << 20
    assert volumes.usage("fast") == 0
    volumes.uses.unmount("fast", "first")
    volumes.uses.unmount("fast", "first")
    assert mounts_under(tmp_path)
    volumes.uses.unmount("fast", "second")
    assert not mounts_under(tmp_path)


def test_removing_a_bind_leaves_its_source_alone(volumes: Volumes, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "precious").write_text("x")
    volumes.create("bound", options={"type": "none", "device": str(source), "o": "bind"})
    assert os.listdir(volumes.uses.mount("bound", "me")) == ["precious"]
    volumes.remove("bound")
    assert (source / "precious").read_text() == "x"
    assert not mounts_under(tmp_path)


def test_what_cannot_be_mounted_is_said_in_dockers_words(volumes: Volumes) -> None:
    volumes.create("lost", options={"type": "none", "device": "/nonesuch", "o": "bind"})
    with pytest.raises(FaultError) as caught:
        volumes.uses.mount("lost", "me")
    assert caught.value.message.startswith("error while mounting volume '")
    assert "failed to mount local volume: mount /nonesuch:" in caught.value.message
    assert caught.value.message.endswith("flags: 0x1000: no such file or directory")


def test_servers_of_network_file_systems_are_looked_up_and_refusals_shown(
    volumes: Volumes,
) -> None:
    def refusal(options: str) -> str:
        volumes.create("far", options={"type": "nfs", "device": ":/x", "o": options})
        with pytest.raises(FaultError) as caught:
            volumes.uses.mount("far", "me")
        volumes.remove("far")
        return caught.value.message.partition("_data")[2]

    assert "data: addr=127.0.0.1,password=********,nolock: " in refusal(
        "addr=localhost,password=secret,nolock"
    )
    assert refusal("addr=nosuch.invalid").startswith(
        "': error resolving passed in network volume address: lookup nosuch.invalid: "
    )


def test_an_engine_ends_the_uses_that_another_left(volumes: Volumes, tmp_path: Path) -> None:
    volumes.create("fast", options={"type": "tmpfs", "device": "tmpfs"})
    for user in ("gone", "goes-on"):
        volumes.uses.mount("fast", user)
    database = Database(tmp_path / "naru.db")
    later = Volumes(tmp_path / "volumes", database, SystemClock())
    later.repair()
    later.settle({"goes-on"})
    assert mounts_under(tmp_path)
    later.uses.unmount("fast", "goes-on")
    assert not mounts_under(tmp_path)
    database.close()
