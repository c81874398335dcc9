"""Compressing a stream with all cores: the writing side of `naru.images.layers.compression`.

The stream is cut into blocks, which are compressed side by side and put together in order. What
comes out depends on what goes in and on nothing else (not on the number of cores, nor on how the
source hands out its bytes), so that a layer has one digest however often it is compressed.

For worker threads.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import zstandard
from isal import isal_zlib

from naru.errors import InvalidInputError
from naru.store.tar_read import Readable

COMPRESSIONS = ("gzip", "zstd")
_CORES = os.cpu_count() or 1
# Shared by all layers on their way, so that there are never more at work than cores.
_workers = ThreadPoolExecutor(max_workers=_CORES, thread_name_prefix="naru-compress")
_AHEAD = 2 * _CORES

# The level that comes nearest to the size that Go's gzip reaches: 3 to 10 per cent more.
_GZIP_LEVEL = 3
_RAW_DEFLATE = -15
# No name, no time, and a system that is not told: equal bytes wherever it is made.
_GZIP_HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_LAST_EMPTY_BLOCK = b"\x03\x00"
_ZSTD_LEVEL = 3


class _Format(Protocol):
    """How blocks become a stream."""

    block_size: int

    def pack(self, block: bytes) -> bytes:
        """Compress one block; called from many threads."""

    def add(self, block: bytes) -> None:
        """Take note of a block; called once for each, in order."""

    def head(self) -> bytes:
        """Return what comes before all blocks."""

    def tail(self) -> bytes:
        """Return what comes after all blocks."""


class _Gzip:
    """One member, each block of which ends at a byte: what pigz writes.

    There are readers that stop after the first member of several.

    Spec: RFC 1952; RFC 1951, section 3.2.4.
    """

    block_size = 1 << 20

    def __init__(self) -> None:
        self._crc = 0
        self._size = 0

    def pack(self, block: bytes) -> bytes:
        packer = isal_zlib.compressobj(_GZIP_LEVEL, isal_zlib.DEFLATED, _RAW_DEFLATE)
        return packer.compress(block) + packer.flush(isal_zlib.Z_SYNC_FLUSH)

    def add(self, block: bytes) -> None:
        self._crc = isal_zlib.crc32(block, self._crc)
        self._size += len(block)

    def head(self) -> bytes:
        return _GZIP_HEAD

    def tail(self) -> bytes:
        size = self._size & 0xFFFFFFFF
        return _LAST_EMPTY_BLOCK + self._crc.to_bytes(4, "little") + size.to_bytes(4, "little")


class _Zstd:
    """One frame for each block.

    Spec: RFC 8878, section 3: frames follow one another.
    """

    # Blocks know nothing of each other; smaller ones would cost several per cent.
    block_size = 4 << 20

    def __init__(self) -> None:
        self._is_empty = True

    def pack(self, block: bytes) -> bytes:
        return zstandard.ZstdCompressor(level=_ZSTD_LEVEL, write_checksum=True).compress(block)

    def add(self, block: bytes) -> None:
        self._is_empty = False

    def head(self) -> bytes:
        return b""

    def tail(self) -> bytes:
        # No frame at all would be no zstd.
        return self.pack(b"") if self._is_empty else b""


_FORMATS: dict[str, Callable[[], _Format]] = {"gzip": _Gzip, "zstd": _Zstd}


def compress(source: Readable, compression: str, write: Callable[[bytes], object]) -> None:
    """Write `source`, compressed, in pieces as they are done.

    Raises:
        InvalidInputError: there is no such `compression`.
        Exception: what `source` or `write` raises.
    """
    if compression not in _FORMATS:
        raise InvalidInputError(
            f'unknown compression "{compression}": expected {" or ".join(COMPRESSIONS)}'
        )
    format_ = _FORMATS[compression]()
    packing: deque[Future[bytes]] = deque()
    write(format_.head())
    try:
        while block := _read_block(source, format_.block_size):
            packing.append(_workers.submit(format_.pack, block))
            format_.add(block)
            if len(packing) > _AHEAD:
                write(packing.popleft().result())
        while packing:
            write(packing.popleft().result())
    finally:
        for future in packing:
            future.cancel()
    write(format_.tail())


def _read_block(source: Readable, size: int) -> bytes:
    """Return exactly `size` bytes, or fewer at the end."""
    pieces: list[bytes] = []
    missing = size
    while missing and (piece := source.read(missing)):
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces) if len(pieces) != 1 else pieces[0]
