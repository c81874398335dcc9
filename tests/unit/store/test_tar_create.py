"""What goes into a layer's tar, and what does not."""

from __future__ import annotations

import errno
import io
import os
import socket
import tarfile
from pathlib import Path

import pytest

from naru.errors import FaultError
from naru.store.changes import Change, ChangeKind, tree_changes
from naru.store.tar_create import TreeWriter, write_layer, write_tree


def opened(path: Path) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY)


def tree_tar(root: Path) -> bytes:
    pieces: list[bytes] = []
    descriptor = opened(root)
    try:
        write_tree(descriptor, pieces.append)
    finally:
        os.close(descriptor)
    return b"".join(pieces)


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        return {member.name: member for member in archive}


def test_directories_come_before_what_is_in_them_and_names_in_order(tmp_path: Path) -> None:
    for name in ("b/c", "a", "b-c"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "b/c/f").write_text("x")
    (tmp_path / "s").symlink_to("b")
    assert list(members(tree_tar(tmp_path))) == ["a", "b", "b/c", "b/c/f", "b-c", "s"]


def test_an_empty_layer_is_the_empty_layer_of_docker() -> None:
    pieces: list[bytes] = []
    write_layer(-1, [], pieces.append)
    assert pieces == [bytes(1024)]


def test_the_same_tree_gives_the_same_bytes_elsewhere(tmp_path: Path) -> None:
    for place, order in (("one", "abc"), ("two", "cba")):
        for name in order:
            path = tmp_path / place / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(name)
            os.utime(path, (5, 5))
    assert tree_tar(tmp_path / "one") == tree_tar(tmp_path / "two")


def test_sockets_stay_out_and_fifos_are_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("sock")
    os.mkfifo(tmp_path / "fifo")
    assert list(members(tree_tar(tmp_path))) == ["fifo"]


def test_a_file_that_shrinks_is_filled_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(b"12345")
    read = os.read

    def cut(descriptor: int, count: int) -> bytes:
        os.truncate(tmp_path / "f", 0)
        return read(descriptor, count)

    monkeypatch.setattr(os, "read", cut)
    assert members(tree_tar(tmp_path))["f"].size == 5


def test_a_file_that_cannot_be_read_breaks_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"12345")

    def fail(descriptor: int, count: int) -> bytes:
        raise OSError(errno.ESTALE, "stale")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(FaultError, match="read 'f': stale file handle"):
        tree_tar(tmp_path)


def test_what_becomes_a_fifo_meanwhile_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "f").write_bytes(b"12345")

    def swap(path: str, *, dir_fd: int, follow_symlinks: bool) -> os.stat_result:
        monkeypatch.undo()
        found = os.stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)
        (tmp_path / "f").unlink()
        os.mkfifo(tmp_path / "f")
        return found

    monkeypatch.setattr(os, "stat", swap)
    assert members(tree_tar(tmp_path)) == {}


def test_what_is_gone_is_left_out(tmp_path: Path) -> None:
    pieces: list[bytes] = []
    root = opened(tmp_path)
    (tmp_path / "file").touch()
    changes = [Change(path, ChangeKind.ADDED) for path in (b"file", b"gone", b"gone/a", b"file/a")]
    write_layer(root, changes, pieces.append)
    os.close(root)
    assert list(members(b"".join(pieces))) == ["file"]


def test_no_link_is_followed_on_the_way_to_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/f").write_text("x")
    (tmp_path / "root").mkdir()
    (tmp_path / "root/d").symlink_to("../secret")
    pieces: list[bytes] = []
    root = opened(tmp_path / "root")
    with TreeWriter(root, pieces.append) as writer:
        assert not writer.add_path(b"d/f")
        assert writer.add_path(b"d")
    os.close(root)
    (member,) = members(b"".join(pieces)).values()
    assert (member.name, member.linkname) == ("d", "../secret")


def test_a_path_beyond_the_kernels_limit_is_an_error(tmp_path: Path) -> None:
    root = opened(tmp_path)
    current = os.dup(root)
    for _ in range(20):
        os.mkdir("n" * 250, dir_fd=current)
        deeper = os.open("n" * 250, os.O_RDONLY, dir_fd=current)
        os.close(current)
        current = deeper
    os.close(current)
    with pytest.raises(FaultError, match="name too long"):
        write_tree(root, lambda _: None)
    with pytest.raises(FaultError, match="name too long"):
        tree_changes(root, None)
    os.close(root)


def test_pieces_are_large_and_memory_is_not(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(20 << 20)
    sizes: list[int] = []
    root = opened(tmp_path)
    write_tree(root, lambda piece: sizes.append(len(piece)))
    os.close(root)
    assert sum(sizes) == (20 << 20) + 512 + 1024
    assert max(sizes) <= 2 << 20
    assert len(sizes) <= 23
