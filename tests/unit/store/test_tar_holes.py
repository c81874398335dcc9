"""Holes of files, in archives and back."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from harness.archives import files
from naru.store import tar_holes
from naru.store.tar_sparse import SparseTarReader
from naru.store.tree_archive import TreeArchive

_K = 1 << 10


def _archive(path: Path, *, keeps_holes: bool = True) -> bytes:
    descriptor = os.open(path, os.O_PATH)
    try:
        archive = TreeArchive(keeps_holes=keeps_holes)
        return b"".join(archive.add(descriptor, b"a/file")) + archive.end()
    finally:
        os.close(descriptor)


def _sparse(path: Path, size: int, *data: tuple[int, bytes]) -> bytes:
    with path.open("wb") as file:
        for offset, content in data:
            file.seek(offset)
            file.write(content)
        file.truncate(size)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("size", "data"),
    [
        (1024 * _K, []),
        (1024 * _K, [(0, b"start")]),
        (1024 * _K, [(1024 * _K - 3, b"end")]),
        (1024 * _K + 5, [(256 * _K, b"x" * 9000), (700 * _K, b"y" * 123)]),
        (64 * _K, [(0, b"z" * 64 * _K)]),
        (3, [(0, b"abc")]),
    ],
)
def test_a_file_comes_back_as_it_was_and_its_holes_take_nothing(
    tmp_path: Path, size: int, data: list[tuple[int, bytes]]
) -> None:
    content = _sparse(tmp_path / "file", size, *data)
    archive = _archive(tmp_path / "file")
    reader = SparseTarReader(io.BytesIO(archive))
    entry = reader.next()
    assert entry is not None
    assert (entry.name, entry.size) == (b"a/file", size)
    descriptor = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    reader.copy_to(descriptor)
    os.close(descriptor)
    assert (tmp_path / "out").read_bytes() == content
    assert reader.next() is None
    stored = sum(len(one) for _, one in data)
    assert len(archive) < stored + 40 * _K
    # Python's own reader knows the format, too.
    assert files(archive) == {"a/file": content}


def test_who_does_not_ask_gets_zeros(tmp_path: Path) -> None:
    _sparse(tmp_path / "file", 1024 * _K)
    assert len(_archive(tmp_path / "file", keeps_holes=False)) > 1024 * _K


def test_a_dense_file_has_no_map(tmp_path: Path) -> None:
    _sparse(tmp_path / "file", 4, (0, b"data"))
    with (tmp_path / "file").open("rb") as file:
        status = os.fstat(file.fileno())
        assert tar_holes.data_regions(file.fileno(), status) is None


def test_a_map_ends_with_its_block() -> None:
    assert tar_holes.region_map([(0, 3), (9, 0)]) == b"2\n0\n3\n9\n0\n".ljust(512, b"\0")
    assert tar_holes.stand_in_name(b"./a/b") == b"./a/GNUSparseFile.0/b"
