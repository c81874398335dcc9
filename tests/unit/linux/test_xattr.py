"""Extended attributes by directory descriptor."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naru.linux import xattr


def test_attributes_are_set_and_read(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        if not xattr.set_at(directory, b"f", b"user.a", b"\x00b"):
            pytest.skip("this filesystem has no user attributes")
    finally:
        os.close(directory)
    path = os.fspath(tmp_path / "f")
    assert xattr.get(path, "user.a") == b"\x00b"
    assert xattr.get(path, "user.none") is None
    assert xattr.read_all(path)["user.a"] == b"\x00b"


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    (tmp_path / "l").symlink_to("f")
    directory = os.open(tmp_path, os.O_RDONLY)
    try:
        assert not xattr.set_at(directory, b"l", b"user.a", b"b")
    finally:
        os.close(directory)
    assert xattr.get(os.fspath(tmp_path / "f"), "user.a") is None
