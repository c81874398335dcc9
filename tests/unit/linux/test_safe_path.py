"""Paths below a hostile root."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from naru.errors import ConflictError, CorruptDataError
from naru.linux import safe_path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "secret").write_text("secret")
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "passwd").write_text("inside")
    (root / "absolute").symlink_to("/etc/passwd")
    (root / "up").symlink_to("../../../../secret")
    (root / "loop").symlink_to("loop")
    return root


def test_links_are_followed_inside_the_root_only(root: Path) -> None:
    assert safe_path.read_text(root, "absolute") == "inside"
    assert safe_path.read_text(root, "/etc/../../../etc/passwd") == "inside"
    assert safe_path.read_text(root, "up") is None
    (root / "secret").write_text("in the root")
    assert safe_path.read_text(root, "up") == "in the root"


def test_what_is_absent_or_no_file_reads_as_none(root: Path) -> None:
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        descriptor = os.open(root, os.O_RDONLY)
        listener.bind(f"/proc/self/fd/{descriptor}/sock")
        os.close(descriptor)
    for path in ("nothing", "etc", "etc/passwd/below", "loop", "fifo", "sock"):
        assert safe_path.read_text(root, path) is None


def test_reading_is_bounded(root: Path) -> None:
    assert safe_path.read_text(root, "etc/passwd", 6) == "inside"
    with pytest.raises(CorruptDataError, match="larger than 5"):
        safe_path.read_text(root, "etc/passwd", 5)


def test_directories_are_made_inside(root: Path) -> None:
    (root / "out").symlink_to("/new/place")
    (root / "new").mkdir()
    os.close(safe_path.make_dirs(root, "/a/b/../c"))
    assert (root / "a/c").is_dir() or (root / "a/b").is_dir()
    os.close(safe_path.make_dirs(root, "new/place"))
    os.close(safe_path.make_dirs(root, "out/deeper"))
    assert (root / "new/place/deeper").is_dir()
    assert sorted(os.listdir(root.parent)) == ["root", "secret"]


@pytest.mark.parametrize("path", ["etc/passwd", "etc/passwd/x", "loop/x", "up/x"])
def test_an_obstacle_is_a_clear_error(root: Path, path: str) -> None:
    with pytest.raises(ConflictError, match=path):
        safe_path.make_dirs(root, path)


def test_files_are_made_once(root: Path) -> None:
    safe_path.make_file(root, "var/run/x")
    safe_path.make_file(root, "var/run/x")
    safe_path.make_file(root, "etc/passwd")
    assert (root / "etc/passwd").read_text() == "inside"
    assert (root / "var/run/x").stat().st_size == 0
    with pytest.raises(ConflictError, match="is a directory"):
        safe_path.make_file(root, "etc")


def test_a_file_is_made_where_its_link_points_inside(root: Path) -> None:
    (root / "resolv").symlink_to("/run/resolv.conf")
    (root / "run").mkdir()
    safe_path.make_file(root, "resolv")
    assert (root / "run/resolv.conf").exists()


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    test_directories_are_made_inside(root)
    safe_path.read_text(root, "absolute")
    for path in ("etc/passwd/x", "loop/x"):
        with pytest.raises(ConflictError):
            safe_path.make_dirs(root, path)
    assert len(os.listdir("/proc/self/fd")) == before
