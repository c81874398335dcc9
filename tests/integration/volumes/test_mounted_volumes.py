"""Volumes whose content is mounted: tmpfs, binds, and what cannot be."""

from __future__ import annotations

import os
import socket
import threading
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


def test_servers_with_addresses_of_both_kinds_are_asked_by_ipv4(
    volumes: Volumes, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [
        (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("::1", 0, 0, 0)),
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.9", 0)),
    ]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    volumes.create("far", options={"type": "nfs", "device": ":/x", "o": "addr=server,nolock"})
    with pytest.raises(FaultError, match=r"data: addr=127\.0\.0\.9,nolock"):
        volumes.uses.mount("far", "me")


def test_a_server_that_is_away_holds_up_nobody_who_does_not_want_its_files(
    volumes: Volumes, tmp_path: Path
) -> None:
    # A file system whose server never says a word: to look at its root means to wait for ever.
    server = os.open("/dev/fuse", os.O_RDWR)
    options = {
        "type": "fuse",
        "device": "far",
        "o": f"fd={server},rootmode=40000,user_id=0,group_id=0",
    }
    volumes.create("far", options=options)
    path = volumes.uses.mount("far", "first")

    def work() -> None:
        volumes.create("far", options=options)
        assert volumes.uses.mount("far", "second") == path
        volumes.uses.unmount("far", "second")
        assert volumes.usage("far") == 0
        database = Database(tmp_path / "naru.db")
        later = Volumes(tmp_path / "volumes", database, SystemClock())
        later.repair()
        later.settle({"first"})
        database.close()
        volumes.uses.unmount("far", "first")
        volumes.remove("far")

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        thread.join(10)
        assert not thread.is_alive(), "it waits for the server"
    finally:
        os.close(server)
        thread.join()
    assert volumes.get("far") is None
    assert not mounts_under(tmp_path)


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
