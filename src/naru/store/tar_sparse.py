"""Sparse files: what GNU tar writes with `--sparse`, in both its forms. Holes stay holes.

Archives that users make may have them in either form. In layers there are only those of POSIX's
form: images travel, and Docker and containerd know no other.

Spec: GNU tar manual, Sparse Formats: the old GNU format, and the POSIX formats 0.1 and 1.0.
"""

from __future__ import annotations

import os

from naru.errors import CorruptDataError, NotSupportedError
from naru.store.tar_fields import parse_number
from naru.store.tar_read import BLOCK, REGULAR, SPARSE, Entry, Readable, TarReader

_PAIR = 24
_IN_BLOCK = 21
_MAX_REGIONS = 100_000

Region = tuple[int, int]


class SparseTarReader(TarReader):
    """A reader of tars that may hold sparse files; `size` of such an entry counts its holes."""

    def __init__(self, stream: Readable, *, reads_old: bool = True) -> None:
        """Begin; without `reads_old`, sparse files in GNU's own form are refused."""
        super().__init__(stream)
        self._reads_old = reads_old
        self._records: dict[bytes, bytes] = {}
        self._regions: list[Region] | None = None
        self._real_size = 0

    def next(self) -> Entry | None:
        self._records, self._regions = {}, None
        return super().next()

    def copy_to(self, descriptor: int) -> None:
        if self._regions is None:
            super().copy_to(descriptor)
            return
        for offset, length in self._regions:
            os.lseek(descriptor, offset, os.SEEK_SET)
            left = length
            while left:
                piece = self.read_piece(left)
                left -= len(piece)
                while piece:
                    piece = piece[os.write(descriptor, piece) :]
        os.ftruncate(descriptor, self._real_size)

    def _sparse_record(self, entry: Entry, key: bytes, value: bytes) -> None:
        self._records[key.removeprefix(b"GNU.sparse.")] = value

    def _checked(self, entry: Entry) -> Entry:
        is_old = entry.kind == SPARSE
        if (is_old and not self._reads_old) or not (is_old or self._records):
            return super()._checked(entry)
        try:
            return self._checked_sparse(entry)
        except ValueError as error:
            raise CorruptDataError(f"tar: {entry}: bad map of a sparse file: {error}") from None

    def _checked_sparse(self, entry: Entry) -> Entry:
        records = self._records
        numbers: list[int] = []
        if entry.kind == SPARSE:
            entry.kind = REGULAR
            numbers, real_size = self._old_map()
        else:
            real_size = _number(records.get(b"realsize") or records.get(b"size", b""))
            entry.name = records.get(b"name") or entry.name
        entry = super()._checked(entry)
        if entry.kind != REGULAR:
            raise ValueError("not a regular file")
        if records.get(b"major") == b"1":
            numbers = self._map_before_data()
        elif b"map" in records:
            numbers = [_number(word) for word in records[b"map"].split(b",") if word]
        elif records:
            raise NotSupportedError(f"tar: {entry}: this kind of sparse file is not supported")
        self._regions = _regions(numbers, real_size, self._unread)
        self._real_size = entry.size = real_size
        return entry

    def _old_map(self) -> tuple[list[int], int]:
        """Read the map of the old format, whose rest stands in blocks behind the header."""
        block = self._sparse_header
        numbers = _pairs(block[386:482])
        real_size = parse_number(block[483:495])
        goes_on = block[482]
        while goes_on:
            following = self._source.exactly(BLOCK)
            if following is None or len(numbers) > 2 * _MAX_REGIONS:
                raise ValueError("it does not end")
            more = bytes(following)
            numbers += _pairs(more[: _IN_BLOCK * _PAIR])
            goes_on = more[_IN_BLOCK * _PAIR]
        return numbers, real_size

    def _map_before_data(self) -> list[int]:
        """Read the map of format 1.0: numbers on lines, filled up to a whole block."""
        count = -1
        numbers: list[int] = []
        rest = b""
        while len(numbers) != 2 * count:
            if self._unread < BLOCK or (block := self._source.exactly(BLOCK)) is None:
                raise ValueError("it does not end")
            self._unread -= BLOCK
            *lines, rest = (rest + bytes(block)).split(b"\n")
            for line in lines:
                if count < 0:
                    count = _number(line)
                    if count > _MAX_REGIONS:
                        raise ValueError(f"{count} regions")
                elif len(numbers) < 2 * count:
                    numbers.append(_number(line))
        return numbers


def _pairs(data: bytes) -> list[int]:
    numbers: list[int] = []
    for start in range(0, len(data), _PAIR):
        offset, length = data[start : start + 12], data[start + 12 : start + _PAIR]
        if not (offset[0] and length[0]):
            break
        numbers += [parse_number(offset), parse_number(length)]
    return numbers


def _number(text: bytes) -> int:
    if not text.isdigit() or len(text) > 19:
        raise ValueError(f"{text[:20]!r} is no number")
    return int(text)


def _regions(numbers: list[int], real_size: int, stored: int) -> list[Region]:
    """Pair the numbers of a map, and check that they describe the data that follows."""
    if len(numbers) % 2 or not 0 <= real_size < 2**63:
        raise ValueError("half a region, or an impossible size")
    regions = list(zip(numbers[::2], numbers[1::2], strict=True))
    end = total = 0
    for offset, length in regions:
        if offset < end or length < 0 or offset + length > real_size:
            raise ValueError(f"region {offset}+{length} in {real_size} bytes")
        end = offset + length
        total += length
    if total != stored:
        raise ValueError(f"{total} bytes in regions, but {stored} in the archive")
    return regions
