"""Paths below a hostile root."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from harness.descriptors import open_count
from naru.errors import CorruptDataError
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


def _make_dirs(root: Path, path: str) -> int:
    descriptor = os.open(root, os.O_PATH)
    try:
        return safe_path.make_dirs_at(descriptor, os.fsencode(path))
    finally:
        os.close(descriptor)


def test_directories_are_made_inside(root: Path) -> None:
    (root / "out").symlink_to("/new/place")
    (root / "new").mkdir()
    os.close(_make_dirs(root, "/a/b/../c"))
    assert sorted(os.listdir(root / "a")) == ["b", "c"]
    os.close(_make_dirs(root, "new/place"))
    os.close(_make_dirs(root, "out/deeper"))
    assert (root / "new/place/deeper").is_dir()
    assert sorted(os.listdir(root.parent)) == ["root", "secret"]


@pytest.mark.parametrize("path", ["etc/passwd", "etc/passwd/x", "loop/x", "up/x"])
def test_directories_do_not_pass_an_obstacle(root: Path, path: str) -> None:
    with pytest.raises(OSError, match=r"(?i)not a directory|no such file|too many"):
        _make_dirs(root, path)


def test_no_descriptor_is_left_open(root: Path) -> None:
    before = open_count()
    test_directories_are_made_inside(root)
    safe_path.read_text(root, "absolute")
    for path in ("etc/passwd/x", "loop/x"):
        with pytest.raises(OSError, match=r"(?i)not a directory|too many"):
            _make_dirs(root, path)
    assert open_count() == before


_LINKS = {"a": "/b/c", "b": "x/../y", "up": "../../d", "loop": "loop", "y/c": "e"}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("", "/"),
        ("/f/./g//", "/f/g"),
        ("a", "/y/e"),
        ("a/h", "/y/e/h"),
        ("up/i", "/d/i"),
        ("f/../../k", "/k"),
    ],
)
def test_links_in_names_are_followed_inside_the_root(path: str, place: str) -> None:
    assert safe_path.without_links(path, _LINKS.get, most_links=5) == place


def test_a_circle_of_links_is_an_error() -> None:
    with pytest.raises(OSError, match=r"(?i)too many"):
        safe_path.without_links("f/../loop/x", _LINKS.get, most_links=5)
