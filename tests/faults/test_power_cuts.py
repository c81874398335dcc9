"""The power cut right after an answer: what was said to be there is, and what went stays away."""

from __future__ import annotations

import io
import os
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.archives import Tree, docker_archive
from harness.narud import EngineUnderTest
from harness.power import MortalDisk, cut_power
from harness.requirements import requires
from harness.waiting import eventually
from naru.db.row_sync import DELAY_S
from naru.images.layers.settling import DELAY_S as SETTLING_DELAY_S

pytestmark = requires("root", "crun", "conmon", "nft", "mkfs.ext4", "/dev/loop-control")
_DISK = 256 << 20


class Desk:
    """An engine on a disk that loses its power."""

    def __init__(self, engine: EngineUnderTest, disk: MortalDisk) -> None:
        self.engine = engine
        self.disk = disk

    def cut(self) -> None:
        """Cut the power at the worst time: names are on the disk, and what is in files is not."""
        self.disk.write_journal()
        cut_power(self.engine, self.disk)
        assert self.findings() == []

    def findings(self) -> list[Any]:
        answer = self.engine.api("POST", "/system/check", version="").ok(200)
        return [record for record in answer.json_lines() if "finding" in record]

    def fill(self, volume: str, content: str) -> None:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            entry = tarfile.TarInfo("file")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
        path = f"/volumes/{volume}/import"
        query = {"replace": True}
        self.engine.api("POST", path, buffer.getvalue(), query=query, version="").ok(204)

    def content(self, volume: str) -> str:
        path = self.engine.data_root / "volumes" / volume / "_data" / "file"
        return path.read_text(encoding="utf-8")

    def snapshots(self, volume: str) -> list[str]:
        answer = self.engine.api("GET", f"/volumes/{volume}/snapshots", version="").ok(200)
        return [one["Name"] for one in answer.json()]


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(prefix="ntp-") as folder:
        Path(folder).chmod(0o711)
        disk, engine = MortalDisk(Path(folder), _DISK), EngineUnderTest()
        engine.data_root = disk.place / "data"
        try:
            engine.start_engine()
            engine.ensure_busybox()
            # A load alone would be undone by a cut in the next seconds.
            query = {"repo": "cut/durable", "tag": "1"}
            engine.api("POST", "/images/busybox/tag", query=query).ok(201)
            yield Desk(engine, disk)
        finally:
            engine.destroy()
            disk.remove()


def test_a_container_is_there_with_what_its_programs_synced(desk: Desk) -> None:
    engine = desk.engine
    container = engine.up("sh", "-c", "echo kept > /file; sync /file; echo done; sleep 1000")
    eventually(lambda: engine.logs(container)["stdout"] == b"done\n", "the file is on the disk")
    desk.cut()
    answer = engine.api("GET", f"/containers/{container}/archive", query={"path": "/file"}).ok(200)
    with tarfile.open(fileobj=io.BytesIO(answer.body)) as archive:
        file = archive.extractfile("file")
        assert file is not None
        assert file.read() == b"kept\n"
    engine.remove(container)


def test_what_ran_is_started_again_and_what_was_stopped_is_not(desk: Desk) -> None:
    engine, host = desk.engine, {"RestartPolicy": {"Name": "unless-stopped"}}
    running, stopped = (engine.up(host=host) for _ in range(2))
    engine.api("POST", f"/containers/{stopped}/stop", query={"t": 0}).ok(204)
    # Nobody waits for that to be on the disk.
    time.sleep(2 * DELAY_S)
    desk.cut()
    assert engine.state(stopped)["Status"] == "exited"
    engine.await_status(running, "running")
    for container in (running, stopped):
        engine.remove(container)


def test_a_removed_container_is_not_there_without_its_files(desk: Desk) -> None:
    container = desk.engine.create("true")
    desk.engine.remove(container)
    desk.cut()
    assert desk.engine.api("GET", f"/containers/{container}/json").status == 404


def test_a_volume_keeps_its_labels_and_options(desk: Desk) -> None:
    options = {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}
    body = {"Name": "cut", "Labels": {"a": "b"}, "DriverOpts": options}
    desk.engine.api("POST", "/volumes/create", body).ok(201)
    desk.cut()
    volume = desk.engine.api("GET", "/volumes/cut").ok(200).json()
    assert (volume["Labels"], volume["Options"]) == ({"a": "b"}, options)
    desk.engine.api("DELETE", "/volumes/cut").ok(204)
    desk.cut()
    assert desk.engine.api("GET", "/volumes/cut").status == 404


def test_what_was_imported_is_whole(desk: Desk) -> None:
    desk.fill("data", "old")
    desk.cut()
    assert desk.content("data") == "old"
    desk.fill("data", "new")
    desk.cut()
    assert desk.content("data") == "new"


def test_a_snapshot_is_whole_and_gives_back_what_it_kept(desk: Desk) -> None:
    desk.fill("shot", "first")
    desk.engine.api("POST", "/volumes/shot/snapshots", {"Name": "one"}, version="").ok(201)
    desk.cut()
    assert desk.snapshots("shot") == ["one"]
    desk.fill("shot", "second")
    path = "/volumes/shot/snapshots/one"
    desk.engine.api("POST", f"{path}/restore", version="").ok(204)
    desk.cut()
    assert desk.content("shot") == "first"
    desk.engine.api("DELETE", path, version="").ok(204)
    desk.cut()
    assert desk.snapshots("shot") == []


def _large_image(name: str) -> bytes:
    """Return an archive whose blobs and files no kernel has written by itself a moment later."""
    tree = Tree().directory("d")
    for number in range(20):
        tree.file(f"d/{number}", os.urandom(100_000))
    return docker_archive([name], [tree.tar()])


def _image_id(desk: Desk, name: str) -> str:
    return str(desk.engine.api("GET", f"/images/{name}/json").ok(200).json()["Id"])


def test_a_load_is_there_whole_or_undone(desk: Desk) -> None:
    archive = _large_image("cut/loaded:1")
    desk.engine.load(archive)
    desk.cut()
    assert not desk.engine.has_image("cut/loaded:1"), "its blobs cannot be on the disk"
    desk.engine.load(archive)
    time.sleep(SETTLING_DELAY_S + 2 * DELAY_S)
    desk.cut()
    assert desk.engine.has_image("cut/loaded:1")


def test_a_load_that_takes_a_name_is_there(desk: Desk) -> None:
    desk.engine.load(_large_image("cut/taken:1"))
    before = _image_id(desk, "cut/taken:1")
    desk.engine.load(_large_image("cut/taken:1"))
    desk.cut()
    assert _image_id(desk, "cut/taken:1") != before


def test_a_container_of_what_was_just_loaded_is_there_with_its_image(desk: Desk) -> None:
    desk.engine.load(_large_image("cut/used:1"))
    container = desk.engine.create("true", image="cut/used:1")
    desk.cut()
    assert desk.engine.has_image("cut/used:1")
    answer = desk.engine.api("GET", f"/containers/{container}/archive", query={"path": "/d/19"})
    assert len(answer.ok(200).body) > 100_000
    desk.engine.remove(container)


def test_networks_and_names_of_images_are_there(desk: Desk) -> None:
    name = desk.engine.network("cut-net")
    desk.cut()
    desk.engine.api("GET", f"/networks/{name}").ok(200)
    query = {"repo": "cut/named", "tag": "1"}
    desk.engine.api("POST", "/images/busybox/tag", query=query).ok(201)
    desk.cut()
    assert desk.engine.has_image("cut/named:1")
