"""Compressed streams: readable by everybody, small, and the same whoever makes them."""

from __future__ import annotations

import gzip
import io
import os
import random
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import zstandard

from naru.errors import InvalidInputError
from naru.images.layers import compress as module
from naru.images.layers.compress import COMPRESSIONS, compress
from naru.images.layers.compression import open_plain

every_kind = pytest.mark.parametrize("kind", COMPRESSIONS)
# Several blocks of either kind, and a rest.
DATA = os.urandom(1 << 20) + bytes(8 << 20) + os.urandom(300_000) * 4


class Dribble:
    """Gives its bytes in pieces of another size each time."""

    def __init__(self, data: bytes) -> None:
        self._inner, self._random = io.BytesIO(data), random.Random(1)

    def read(self, count: int, /) -> bytes:
        return self._inner.read(min(count, self._random.randint(1, 700_000)))


def packed(data: bytes, kind: str) -> bytes:
    pieces: list[bytes] = []
    compress(io.BytesIO(data), kind, pieces.append)
    return b"".join(pieces)


def _gzip_in_one_member(data: bytes) -> bytes:
    member = zlib.decompressobj(31)
    plain = member.decompress(data)
    assert member.eof
    assert member.unused_data == b"", "some readers stop after the first member"
    return plain


READERS: dict[str, list[Callable[[bytes], bytes]]] = {
    "gzip": [gzip.decompress, _gzip_in_one_member],
    "zstd": [
        lambda data: (
            zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
        )
    ],
}


@every_kind
@pytest.mark.parametrize("size", [0, 1, 1 << 20, (4 << 20) + 1, len(DATA)])
def test_everybody_reads_what_was_written(kind: str, size: int) -> None:
    data = DATA[:size]
    result = packed(data, kind)
    for read in READERS[kind]:
        assert read(result) == data
    name, stream = open_plain(io.BytesIO(result))
    assert name == kind
    assert b"".join(iter(lambda: stream.read(1 << 20), b"")) == data


@every_kind
def test_equal_bytes_come_out_alike_however_they_go_in(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = packed(DATA, kind)
    pieces: list[bytes] = []
    with ThreadPoolExecutor(1) as one_core:
        monkeypatch.setattr(module, "_workers", one_core)
        compress(Dribble(DATA), kind, pieces.append)
    assert b"".join(pieces) == whole


def test_gzip_is_as_small_as_gzip_is_usually() -> None:
    words = [os.urandom(4).hex() for _ in range(2000)]
    choice = random.Random(2)
    text = " ".join(choice.choice(words) for _ in range(300_000)).encode()
    assert len(packed(text, "gzip")) < 1.15 * len(zlib.compress(text, 6))


@every_kind
def test_failure_of_either_side_ends_it(kind: str) -> None:
    class Broken(io.BytesIO):
        def read(self, count: int | None = -1, /) -> bytes:
            raise OSError("read")

    with pytest.raises(OSError, match="read"):
        compress(Broken(), kind, lambda _: None)
    written: list[bytes] = []

    def write(data: bytes) -> None:
        written.append(data)
        if len(written) > 2:
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        compress(io.BytesIO(bytes(64 << 20)), kind, write)


def test_unknown_compression_is_named() -> None:
    with pytest.raises(
        InvalidInputError, match=r'^unknown compression "xz": expected gzip or zstd$'
    ):
        compress(io.BytesIO(), "xz", lambda _: None)
