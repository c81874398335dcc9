"""Files and trees: atomic writes, removal that harms nobody."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from naru.linux import fs


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    fs.write_atomic(path, "old and long")
    fs.write_atomic(path, b"new", 0o600, fsync=True)
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "x").touch()
    with pytest.raises(OSError):
        fs.write_atomic(tmp_path / "d", b"data")
    assert os.listdir(tmp_path) == ["d"]


def test_removal_is_idempotent(tmp_path: Path) -> None:
    (tmp_path / "d" / "e").mkdir(parents=True)
    (tmp_path / "d" / "e" / "f").write_text("x")
    (tmp_path / "d" / "e").chmod(0)
    fs.remove_tree(tmp_path / "d")
    fs.remove_tree(tmp_path / "d")
    fs.remove_tree(tmp_path / "no" / "such")
    assert os.listdir(tmp_path) == []


def test_removal_follows_no_links(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "link").symlink_to(tmp_path / "kept")
    fs.remove_tree(tmp_path / "d")
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    fs.remove_tree(tmp_path / "link")
    assert (tmp_path / "kept" / "file").exists()
    assert not (tmp_path / "link").is_symlink()


def test_a_tree_deeper_than_the_stack_is_removed(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=here)
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    fs.remove_tree(tmp_path / "d")
    assert os.listdir(tmp_path) == ["f"]


def test_sizes_count_a_linked_file_once(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_bytes(b"x" * 100)
    os.link(tmp_path / "d" / "a", tmp_path / "b")
    (tmp_path / "l").symlink_to("12345")
    assert fs.tree_size(tmp_path) == 105
    assert fs.tree_size(tmp_path / "absent") == 0


def test_spreading_is_set_where_it_can_be_and_harmless_elsewhere(tmp_path: Path) -> None:
    fs.spread_subdirectories(tmp_path)
    fs.spread_subdirectories(tmp_path)
    fs.spread_subdirectories(Path(f"/proc/{os.getpid()}"))
    kind = subprocess.run(["stat", "-fc", "%T", tmp_path], capture_output=True, check=True).stdout
    if kind == b"ext2/ext3\n":
        shown = subprocess.run(["lsattr", "-d", tmp_path], capture_output=True, check=True).stdout
        assert b"T" in shown.split()[0]


def test_a_files_start_is_given_back_and_the_rest_stays(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"a" * 50_000 + b"b" * 50_000)
    fs.free_start(path, 40_000)
    fs.free_start(path, 10_000)
    fs.free_start(tmp_path / "absent", 1)
    with path.open("rb") as file:
        assert fs.data_start(file.fileno()) == 45_056
        file.seek(0)
        content = file.read()
    assert len(content) == 100_000
    assert content[45_056:] == b"a" * 4_944 + b"b" * 50_000
    assert path.stat().st_blocks * 512 < 60_000


def test_data_starts_at_the_end_of_an_empty_file(tmp_path: Path) -> None:
    with (tmp_path / "f").open("w+b") as file:
        assert fs.data_start(file.fileno()) == 0
        file.write(b"x")
        file.flush()
        assert fs.data_start(file.fileno()) == 0


def test_pieces_are_written_whole_and_in_order_however_many_there_are(tmp_path: Path) -> None:
    pieces = [bytes([number % 256]) * (number % 7) for number in range(2000)]
    reading, writing = os.pipe()
    received: list[bytes] = []
    # A pipe takes less than asked for, again and again.
    thread = threading.Thread(
        target=lambda: received.append(Path(f"/dev/fd/{reading}").read_bytes())
    )
    thread.start()
    fs.write_pieces(writing, [*pieces, bytes(1 << 20), bytearray(b"end")])
    os.close(writing)
    thread.join()
    os.close(reading)
    assert received == [b"".join(pieces) + bytes(1 << 20) + b"end"]


def test_writing_back_early_changes_nothing_and_takes_any_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT)
    try:
        fs.write_all(descriptor, b"x" * 10_000)
        fs.start_write_back(descriptor, 0, 5000)
        fs.start_write_back(descriptor, 5000, 5000)
        assert path.read_bytes() == b"x" * 10_000
    finally:
        os.close(descriptor)
    reading, writing = os.pipe()
    fs.start_write_back(writing, 0, 1)
    os.close(reading)
    os.close(writing)


def test_disk_with_room_takes_more(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fs.require_room(descriptor)
    finally:
        os.close(descriptor)


def test_names_change_places_at_once(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    (first / "inner").touch()
    second.write_text("second")
    fs.exchange(first, second)
    assert first.read_text() == "second"
    assert (second / "inner").exists()
    with pytest.raises(FileNotFoundError):
        fs.exchange(first, tmp_path / "absent")
    assert first.read_text() == "second"
