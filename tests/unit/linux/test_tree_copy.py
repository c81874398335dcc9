"""Copies of trees."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from naru.linux import tree_copy


@pytest.mark.skipif(os.geteuid() != 0, reason="makes devices and other users' files")
def test_a_copy_has_all_that_its_original_has(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "d" / "e").mkdir(parents=True)
    (source / "d" / "f").write_bytes(os.urandom(100_000))
    os.link(source / "d" / "f", source / "linked")
    (source / "link").symlink_to("/etc/passwd")
    os.mknod(source / "null", 0o20666, os.makedev(1, 3))
    os.mkfifo(source / "fifo")
    os.setxattr(source / "d", "user.a", b"b")
    os.setxattr(source / "d", "trusted.overlay.opaque", b"y")
    os.chown(source / "d" / "f", 12, 34)
    (source / "d" / "f").chmod(0o4711)
    os.utime(source / "d", ns=(5, 7))
    target.mkdir()
    tree_copy.copy_tree(source, target)
    copied = (target / "d" / "f").stat()
    assert (copied.st_uid, copied.st_gid, copied.st_mode & 0o7777) == (12, 34, 0o4711)
    assert (target / "d" / "f").read_bytes() == (source / "d" / "f").read_bytes()
    assert (target / "linked").samefile(target / "d" / "f")
    assert not (target / "linked").samefile(source / "linked")
    assert os.readlink(target / "link") == "/etc/passwd"
    assert (target / "null").lstat().st_rdev == os.makedev(1, 3)
    assert (target / "d").stat().st_mtime_ns == 7
    assert os.getxattr(target / "d", "user.a") == b"b"
    # What overlay noted about the original is wrong for the copy.
    assert "trusted.overlay.opaque" not in os.listxattr(target / "d")
