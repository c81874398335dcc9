"""Taking the compression off streams, whatever it is: told by the first bytes, never by a name.

For worker threads; every algorithm lets other threads run. Memory is bounded whatever the input
says: a small stream that unpacks to a huge one is read a piece at a time, and a dictionary
larger than honest files have is refused.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard
from isal import igzip_lib, isal_zlib

from naru.errors import CorruptDataError
from naru.store.tar_read import MAX_REST, Readable

_PIECE = 256 << 10
_GZIP_WINDOW = 31
_XZ_MEMORY = 256 << 20
_ZSTD_WINDOW = 128 << 20
_SNIFF_SIZE = 6
_MAGIC = (
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"BZh", "bzip2"),
)
# The stubs take the class for an object.
_IsalError: type[Exception] = igzip_lib.IsalError  # type: ignore[assignment]
_FAILURES: tuple[type[Exception], ...] = (
    zlib.error,
    _IsalError,
    zstandard.ZstdError,
    lzma.LZMAError,
    OSError,
    EOFError,
    ValueError,
)


def detect(head: bytes) -> str:
    """Return `gzip`, `zstd`, `xz`, `bzip2`, or "" for plain bytes; six bytes are enough."""
    for magic, name in _MAGIC:
        if head.startswith(magic):
            return name
    # A skippable frame may come first in a zstd stream.
    if len(head) >= 4 and head[1:4] == b"\x2a\x4d\x18" and 0x50 <= head[0] <= 0x5F:
        return "zstd"
    return ""


def open_plain(source: Readable) -> tuple[str, Readable]:
    """Return how `source` is compressed and a reader of its plain bytes.

    The reader raises CorruptDataError where the stream is invalid or cut off. (Cut-off zstd may
    also just end: whoever reads checks a digest or the end of a tar.)
    """
    head = b""
    while len(head) < _SNIFF_SIZE and (piece := source.read(_PIECE)):
        head = head + piece if head else bytes(piece)
    behind = _Prefixed(head, source)
    name = detect(head)
    if not name:
        return "", behind
    if name == "zstd":
        return name, _ZstdReader(behind)
    return name, _MemberReader(behind, name, _MEMBERS[name])


class _Prefixed:
    """A stream with bytes put back in front."""

    def __init__(self, head: bytes, source: Readable) -> None:
        self._head = memoryview(head)
        self._source = source

    def read(self, count: int, /) -> bytes:
        if not self._head:
            return self._source.read(count)
        piece, self._head = self._head[:count], self._head[count:]
        return bytes(piece)


class _Member(Protocol):
    """One compressed member, decompressed with bounded output."""

    @property
    def eof(self) -> bool:
        """Whether its end was seen."""

    @property
    def unused_data(self) -> bytes:
        """What came behind its end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return at most `max_length` bytes; what input is left is kept inside."""


class _GzipMember:
    """gzip keeps its unread input outside; this puts it back."""

    def __init__(self) -> None:
        self._inner = isal_zlib.decompressobj(wbits=_GZIP_WINDOW)

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._inner.unused_data)

    def decompress(self, data: bytes, max_length: int) -> bytes:
        tail = self._inner.unconsumed_tail
        return bytes(self._inner.decompress(tail + data if tail else data, max_length))


_MEMBERS: dict[str, Callable[[], _Member]] = {
    "gzip": _GzipMember,
    "xz": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY),
    "bzip2": bz2.BZ2Decompressor,
}


class _MemberReader:
    """Concatenated members of gzip, xz or bzip2, and zeros behind them, which tapes append."""

    def __init__(self, source: Readable, name: str, make: Callable[[], _Member]) -> None:
        self._source = source
        self._name = name
        self._make = make
        self._member = make()
        self._waiting = b""
        self._at_end = False

    def read(self, count: int, /) -> bytes:
        while not self._at_end:
            plain = self._step(max(count, 1))
            if plain:
                return plain
        return b""

    def _step(self, count: int) -> bytes:
        """Move on by one call of the library; maybe without a byte to show for it."""
        if self._member.eof:
            self._next_member()
            return b""
        data, self._waiting = self._waiting, b""
        try:
            # Input that is held back comes out first.
            plain = self._member.decompress(data, count)
            if not plain and not data and not self._member.eof:
                data = self._source.read(_PIECE)
                if not data:
                    raise CorruptDataError(f"{self._name}: unexpected EOF")
                plain = self._member.decompress(data, count)
        except _FAILURES as error:
            raise CorruptDataError(f"{self._name}: invalid data: {error}") from error
        return plain

    def _next_member(self) -> None:
        rest = self._member.unused_data.lstrip(b"\0")
        zeros = 0
        while not rest:
            piece = self._source.read(_PIECE)
            if not piece:
                self._at_end = True
                return
            zeros += len(piece)
            if zeros > MAX_REST:
                raise CorruptDataError(f"{self._name}: more than {MAX_REST} zeros follow the data")
            rest = piece.lstrip(b"\0")
        self._member = self._make()
        self._waiting = rest


class _ZstdReader:
    """zstd frames, one after the other."""

    def __init__(self, source: Readable) -> None:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
        self._inner = decompressor.stream_reader(
            source,  # type: ignore[arg-type]  # it wants a whole file, and only ever reads
            read_size=_PIECE,
            read_across_frames=True,
        )

    def read(self, count: int, /) -> bytes:
        try:
            return self._inner.read(count)
        except _FAILURES as error:
            raise CorruptDataError(f"zstd: invalid data: {error}") from error
