"""Sparse files as GNU tar writes them."""

from __future__ import annotations

import io
import os
import subprocess
from pathlib import Path

import pytest

from naru.errors import CorruptDataError, NotSupportedError
from naru.store.tar_sparse import SparseTarReader
from suites import raw_tar


def _sparse(path: Path, regions: int) -> None:
    """Make a file of 8 MiB with data in so many places and holes between them."""
    with path.open("wb") as file:
        for number in range(regions):
            file.seek(number << 16)
            file.write(b"%d" % number * 1000)
        file.truncate(8 << 20)


@pytest.mark.parametrize("layout", ["gnu", "posix", "posix --sparse-version=0.1"])
@pytest.mark.parametrize("regions", [0, 1, 3, 90])
def test_what_gnu_tar_writes_comes_out_the_same(tmp_path: Path, layout: str, regions: int) -> None:
    _sparse(tmp_path / "holes", regions)
    (tmp_path / "z").write_text("after")
    argv = [
        "tar",
        "-cSf",
        "-",
        f"--format={layout.partition(' ')[0]}",
        *layout.split()[1:],
        "holes",
        "z",
    ]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, check=True)
    assert len(done.stdout) < 1 << 20
    reader = SparseTarReader(io.BytesIO(done.stdout))
    for name in ("holes", "z"):
        entry = reader.next()
        assert entry is not None
        assert (entry.name, entry.size) == (name.encode(), (tmp_path / name).stat().st_size)
        with (tmp_path / "out").open("wb") as out:
            reader.copy_to(out.fileno())
        assert (tmp_path / "out").read_bytes() == (tmp_path / name).read_bytes()
        if name == "holes":
            assert os.stat(tmp_path / "out").st_blocks * 512 < 2 << 20
    assert reader.next() is None


def _old(numbers: list[int], size: int, *, data: bytes = b"", goes_on: bool = False) -> bytes:
    block = bytearray(raw_tar.header(b"f", b"S", size=len(data), magic=b"ustar  \0"))
    for index, number in enumerate(numbers):
        block[386 + 12 * index : 398 + 12 * index] = raw_tar.octal(number, 12)
    block[482] = goes_on
    block[483:495] = raw_tar.octal(size, 12)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block) + raw_tar.padded(data)


def _posix(data: bytes, **records: bytes) -> bytes:
    named = {f"GNU.sparse.{key}".encode(): value for key, value in records.items()}
    return raw_tar.pax(named) + raw_tar.member("f", data)


@pytest.mark.parametrize(
    "data",
    [
        _old([0, 5, 3, 5], 10, data=b"x" * 10),
        _old([8, 5], 10, data=b"x" * 5),
        _old([0, 4], 10, data=b"x" * 5),
        _old([0, 5], 10, data=b"x" * 5, goes_on=True)[:512],
        _posix(b"x" * 5, map=b"0,5,7", size=b"10"),
        _posix(b"x" * 5, map=b"0,x", size=b"10"),
        _posix(b"x" * 5, map=b"0,5"),
        _posix(b"2\n0\n5\n", major=b"1", minor=b"0", realsize=b"10"),
        _posix(raw_tar.padded(b"9999999\n"), major=b"1", minor=b"0", realsize=b"10"),
        _posix(raw_tar.padded(b"-1\n"), major=b"1", minor=b"0", realsize=b"10"),
    ],
)
def test_maps_that_lie_are_refused(data: bytes) -> None:
    with pytest.raises(CorruptDataError, match="sparse file"):
        SparseTarReader(io.BytesIO(data)).next()


def test_other_forms_are_refused_by_name() -> None:
    data = _posix(b"x", numblocks=b"1", size=b"5")
    with pytest.raises(NotSupportedError, match="'f': this kind of sparse file"):
        SparseTarReader(io.BytesIO(data)).next()


def test_gnus_own_form_can_be_refused_whatever_pax_says() -> None:
    old = _old([0, 5], 10, data=b"x" * 5)
    for data in (old, raw_tar.pax({b"GNU.sparse.map": b"0,5", b"GNU.sparse.size": b"9"}) + old):
        with pytest.raises(NotSupportedError, match="'f'"):
            SparseTarReader(io.BytesIO(data), reads_old=False).next()
