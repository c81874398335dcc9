"""Compressed streams: whole, joined, cut, padded, and bombs."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
from collections.abc import Callable

import pytest
import zstandard

from naru.errors import CorruptDataError
from naru.images.layers.compression import detect, open_plain

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
}
DATA = os.urandom(50_000) + bytes(100_000)
every_kind = pytest.mark.parametrize("name", COMPRESSORS)


class Dribble:
    """Gives a few bytes at a time, as networks may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._inner, self._step = io.BytesIO(data), step

    def read(self, count: int, /) -> bytes:
        return self._inner.read(min(count, self._step))


def plain(data: bytes, step: int = 1 << 20, count: int = 4096) -> tuple[str, bytes]:
    name, stream = open_plain(Dribble(data, step))
    result = b""
    while piece := stream.read(count):
        assert len(piece) <= count
        result += piece
    return name, result


@every_kind
@pytest.mark.parametrize("step", [1, 3, 1000, 1 << 20])
def test_told_by_its_first_bytes_however_they_come(name: str, step: int) -> None:
    data = DATA[40_000:60_000]
    assert plain(COMPRESSORS[name](data), step) == (name, data)


@every_kind
def test_joined_members_are_one_stream(name: str) -> None:
    assert plain(COMPRESSORS[name](DATA) * 2)[1] == DATA * 2


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2"])
def test_zeros_behind_the_end_are_padding(name: str) -> None:
    assert plain(COMPRESSORS[name](DATA) + bytes(1024))[1] == DATA


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2"])
def test_zeros_without_end_are_none(name: str) -> None:
    class Endless:
        head = COMPRESSORS[name](DATA)

        def read(self, count: int, /) -> bytes:
            data, self.head = self.head or bytes(count), b""
            return data

    _, stream = open_plain(Endless())
    assert stream.read(len(DATA)) == DATA
    with pytest.raises(CorruptDataError, match=r"zeros follow the data$"):
        stream.read(1 << 20)


@every_kind
def test_garbage_behind_the_end_is_refused(name: str) -> None:
    with pytest.raises(CorruptDataError):
        plain(COMPRESSORS[name](DATA) + b"garbage behind it")


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2"])
def test_cut_off_stream_is_refused(name: str) -> None:
    with pytest.raises(CorruptDataError, match="unexpected EOF"):
        plain(COMPRESSORS[name](DATA)[:-9])


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2"])
def test_damaged_stream_is_refused(name: str) -> None:
    data = bytearray(COMPRESSORS[name](DATA))
    data[200] ^= 0xFF
    data[5000] ^= 0xFF
    with pytest.raises(CorruptDataError):
        plain(bytes(data))


@pytest.mark.parametrize("data", [b"", b"a", b"\x1f\x8b", b"plain text, long enough"])
def test_anything_else_is_plain(data: bytes) -> None:
    assert plain(data) == ("", data)


@every_kind
def test_bomb_comes_in_small_pieces(name: str) -> None:
    bomb = COMPRESSORS[name](bytes(64 << 20))
    _, stream = open_plain(io.BytesIO(bomb))
    assert len(stream.read(1000)) <= 1000


def test_skippable_frame_is_zstd() -> None:
    assert detect(b"\x50\x2a\x4d\x18\x00\x00") == "zstd"
