"""Paths as a container sees them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from naru.api.path_stat import MODE_DIRECTORY, MODE_SYMLINK
from naru.errors import InvalidInputError
from naru.store import tree_paths
from naru.store.tree_glob import matching_paths


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    """Give an open root with files and links in it."""
    (tmp_path / "d").mkdir()
    for name in ("a.log", "b.log", ".hidden.log", "c.txt"):
        (tmp_path / "d" / name).touch()
    (tmp_path / "e").mkdir()
    (tmp_path / "e" / "a.log").touch()
    (tmp_path / "abs").symlink_to("/d")
    (tmp_path / "up").symlink_to("../../../d/a.log")
    (tmp_path / "dangling").symlink_to("nothing/here")
    (tmp_path / "loop").symlink_to("loop")
    descriptor = os.open(tmp_path, os.O_PATH)
    yield descriptor
    os.close(descriptor)


@pytest.mark.parametrize(
    ("path", "expected", "name"),
    [
        ("/a/b", "/a/b", "b"),
        ("a//b/", "/a/b/", "b"),
        ("a/.", "/a/.", "."),
        ("/", "/", "/"),
        (".", "/.", "."),
        ("../../a/./c/../b", "/a/b", "b"),
        ("//a", "/a", "a"),
    ],
)
def test_paths_become_absolute(path: str, expected: str, name: str) -> None:
    assert tree_paths.absolute(path) == expected
    assert tree_paths.last_name(expected) == name


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/abs", "/d"),
        ("/abs/b.log", "/d/b.log"),
        ("/up", "/d/a.log"),
        ("/dangling", "/nothing/here"),
        ("/d/none", "/d/none"),
    ],
)
def test_links_are_followed_inside_the_root(root: int, path: str, expected: str) -> None:
    assert tree_paths.link_target(root, path) == expected


def test_links_in_a_circle_are_refused(root: int) -> None:
    with pytest.raises(InvalidInputError, match="too many links in /loop"):
        tree_paths.link_target(root, "/loop")


def test_a_link_is_described_itself_unless_a_slash_follows(root: int) -> None:
    for path, bit in (
        ("/abs", MODE_SYMLINK),
        ("/abs/", MODE_DIRECTORY),
        ("/abs/.", MODE_DIRECTORY),
    ):
        descriptor = tree_paths.open_named(root, path)
        found = tree_paths.describe(root, path, descriptor)
        os.close(descriptor)
        assert found.mode & bit
        assert found.link_target == ("/d" if bit == MODE_SYMLINK else "")


def test_a_file_is_no_directory(root: int) -> None:
    with pytest.raises(InvalidInputError, match=r"lstat /d/a\.log/: not a directory"):
        tree_paths.open_named(root, "/d/a.log/")
    with pytest.raises(InvalidInputError, match="extraction point is not a directory"):
        tree_paths.open_directory(root, "/up")
    with pytest.raises(FileNotFoundError):
        tree_paths.open_named(root, "/none")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/d/*.log", ["/d/a.log", "/d/b.log"]),
        ("/d/.*", ["/d/.hidden.log"]),
        ("/*/a.log", ["/abs/a.log", "/d/a.log", "/e/a.log"]),
        ("/d/[ab].lo?", ["/d/a.log", "/d/b.log"]),
        ("/d/[!a].log", ["/d/b.log"]),
        ("/d/c.txt", ["/d/c.txt"]),
        ("/d/c.txt/*", []),
        ("/none/*", []),
        ("/../d/c*", ["/d/c.txt"]),
    ],
)
def test_patterns_find_what_a_shell_would(root: int, pattern: str, expected: list[str]) -> None:
    assert matching_paths(root, tree_paths.absolute(pattern)) == expected
