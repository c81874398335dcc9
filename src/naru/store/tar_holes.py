"""Where a file has data and where holes, and the words that archives have for it.

Reading a hole as zeros would make an archive as large as the file says it is. What is written here
is read by `tar_sparse`, and by GNU tar and bsdtar.

Spec: GNU tar manual, Sparse Formats, format 1.0; lseek(2), SEEK_DATA and SEEK_HOLE.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence

from naru.store.tar_read import BLOCK

_DISK_BLOCK = 512
# Beyond, the map costs more than zeros would.
_MAX_REGIONS = 10_000

Region = tuple[int, int]


def data_regions(descriptor: int, status: os.stat_result) -> list[Region] | None:
    """Return offset and length of what is data in a file; None if that is not worth knowing.

    The last region ends where the file does, and may be empty.
    """
    size = status.st_size
    if status.st_blocks * _DISK_BLOCK >= size:
        return None
    regions: list[Region] = []
    offset = 0
    try:
        while offset < size:
            try:
                start = os.lseek(descriptor, offset, os.SEEK_DATA)
            except OSError as error:
                if error.errno == errno.ENXIO:
                    break
                return None
            end = min(os.lseek(descriptor, start, os.SEEK_HOLE), size)
            if start >= end:
                break
            regions.append((start, end - start))
            offset = end
            if len(regions) > _MAX_REGIONS:
                return None
    finally:
        os.lseek(descriptor, 0, os.SEEK_SET)
    if sum(length for _, length in regions) == size:
        return None
    if not regions or sum(regions[-1]) < size:
        regions.append((size, 0))
    return regions


def region_map(regions: Sequence[Region]) -> bytes:
    """Return the map that stands before the data, filled up to whole blocks."""
    numbers = [len(regions), *(number for region in regions for number in region)]
    text = b"".join(b"%d\n" % number for number in numbers)
    return text + bytes(-len(text) % BLOCK)


def records(name: bytes, size: int) -> dict[bytes, bytes]:
    """Return the pax records of a sparse file that is called `name`, and is `size` bytes long."""
    return {
        b"GNU.sparse.major": b"1",
        b"GNU.sparse.minor": b"0",
        b"GNU.sparse.name": name,
        b"GNU.sparse.realsize": b"%d" % size,
    }


def stand_in_name(name: bytes) -> bytes:
    """Return what the file is called for who does not know of sparse files."""
    folder, slash, last = name.rpartition(b"/")
    return folder + slash + b"GNUSparseFile.0/" + last
