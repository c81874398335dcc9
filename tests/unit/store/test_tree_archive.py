"""Trees as tar streams."""

from __future__ import annotations

import os
import socket
import tarfile
from pathlib import Path

import pytest

from harness.archives import files, members
from harness.descriptors import open_count
from naru.store.tree_archive import TreeArchive


def _archive(path: Path, name: str, archive: TreeArchive | None = None) -> bytes:
    archive = archive or TreeArchive()
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    try:
        return b"".join([*archive.add(descriptor, os.fsencode(name)), archive.end()])
    finally:
        os.close(descriptor)


def _names(archive: bytes) -> list[str]:
    return [info.name for info, _ in members(archive)]


def test_entries_come_depth_first_in_the_order_of_names(tmp_path: Path) -> None:
    for name in ("b", "a/z", "a/y/x", "a.b"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    names = _names(_archive(tmp_path, "top"))
    assert names == ["top", "top/a", "top/a/y", "top/a/y/x", "top/a/z", "top/a.b", "top/b"]


@pytest.mark.parametrize(("name", "inner"), [("/", "/f"), (".", "./f"), ("d", "d/f")])
def test_the_start_has_the_name_that_was_asked_for(tmp_path: Path, name: str, inner: str) -> None:
    (tmp_path / "f").touch()
    assert _names(_archive(tmp_path, name))[-1].lstrip("/") == inner.lstrip("/")


def test_files_keep_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x" * 3_000_000)
    (tmp_path / "setuid").touch(0o755)
    (tmp_path / "setuid").chmod(0o4755)
    os.link(tmp_path / "plain", tmp_path / "same")
    (tmp_path / "link").symlink_to("../elsewhere")
    os.mkfifo(tmp_path / "fifo")
    os.setxattr(tmp_path / "setuid", "user.note", b"kept\0")
    (tmp_path / ("long" * 60)).touch()
    (tmp_path / os.fsdecode(b"bytes\xff\xfe")).touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        archive = _archive(tmp_path, "t")
    assert files(archive)["t/plain"] == b"x" * 3_000_000
    found = {info.name: info for info, _ in members(archive)}
    assert found["t/setuid"].mode == 0o4755
    assert found["t/setuid"].pax_headers["SCHILY.xattr.user.note"] == "kept\0"
    assert (found["t/same"].type, found["t/same"].linkname) == (tarfile.LNKTYPE, "t/plain")
    assert found["t/link"].linkname == "../elsewhere"
    assert found["t/fifo"].isfifo()
    assert "t/" + "long" * 60 in found
    assert "t/" + os.fsdecode(b"bytes\xff\xfe") in found
    assert "t/socket" not in found


def test_a_file_that_shrinks_keeps_its_place(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 5000)
    (tmp_path / "g").write_text("after")
    descriptor = os.open(tmp_path, os.O_PATH)
    archive = TreeArchive()
    blocks = archive.add(descriptor, b"t")
    os.truncate(tmp_path / "f", 10)
    (tmp_path / "f").open("ab").close()
    data = b"".join([*blocks, archive.end()])
    os.close(descriptor)
    assert files(data)["t/g"] == b"after"


def test_trees_deeper_than_open_files_are_archived(tmp_path: Path) -> None:
    here, depth = os.open(tmp_path, os.O_RDONLY), 400
    for _ in range(depth):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("z", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=here))
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    open_before = open_count()
    names = _names(_archive(tmp_path, "t"))
    assert len(names) == 1 + 2 * depth
    assert open_count() == open_before


def test_what_is_not_to_be_entered_is_shown_empty(tmp_path: Path) -> None:
    for name in ("in/f", "out/f"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    refused = (tmp_path / "out").stat().st_ino
    archive = TreeArchive(lambda descriptor: os.fstat(descriptor).st_ino != refused)
    assert _names(_archive(tmp_path, "t", archive)) == ["t", "t/in", "t/in/f", "t/out"]


def test_a_reader_that_stops_leaves_no_file_open(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "big").write_bytes(bytes(5 << 20))
    descriptor = os.open(tmp_path, os.O_PATH)
    open_before = open_count()
    blocks = TreeArchive().add(descriptor, b"t")
    next(blocks)
    blocks.close()
    assert open_count() == open_before
    os.close(descriptor)
