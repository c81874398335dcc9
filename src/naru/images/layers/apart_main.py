r"""The process that `naru.images.layers.apart` starts: one layer onto one tree, then the end.

    python -m naru.images.layers.apart_main ROOT SOURCE COUNTER \
        hashed|plain alone|merged told|silent PARENT

Three descriptors, three words and the pid of the engine. How many bytes there are comes through
the eventfd COUNTER; how far they are read goes to the standard output if that is to be told, and
last of all the result.
Imports little, so that it starts quickly.
"""

from __future__ import annotations

import mmap
import os
import sys
from struct import Struct

from naru.errors import CorruptDataError, NaruError
from naru.images.layers.arrival import ENDED, FAILED
from naru.linux.parent_death import die_with
from naru.store.tar_apply import Applied, apply_at
from naru.store.tar_read import READ_SIZE

_OUT = 1
POSITION = Struct("<Q")
RESULT = 2**64 - 1
"""Takes the place of a position before the last words: fields with NUL between them."""


class _Growing:
    """The bytes of a file that another process still appends to.

    With `is_mapped` they are not copied, and the file must never shrink.
    """

    def __init__(self, source: int, counter: int, *, is_mapped: bool, is_told: bool) -> None:
        self._source = source
        self._counter = counter
        self._is_told = is_told
        self._position = self._size = 0
        self._has_ended = False
        self._read = self._mapped if is_mapped else self._copied
        self._buffer = bytearray(READ_SIZE)

    def read(self, count: int, /) -> bytes:
        """Return 1 to `count` bytes, waiting for them; nothing at the end."""
        return bytes(self._next(count))

    def read_piece(self) -> memoryview:
        """Return some bytes, valid until the next call; nothing at the end."""
        return self._next(READ_SIZE)

    def _next(self, count: int) -> memoryview:
        while True:
            wanted = min(count, self._size - self._position, READ_SIZE)
            # A file that is begun anew is shorter for a while than it was.
            if wanted > 0 and (piece := self._read(wanted)):
                self._position += len(piece)
                if self._is_told:
                    os.write(_OUT, POSITION.pack(self._position))
                return piece
            if self._has_ended:
                return memoryview(b"")
            self._wait()

    def _copied(self, wanted: int) -> memoryview:
        piece = memoryview(self._buffer)[:wanted]
        return piece[: os.preadv(self._source, [piece], self._position)]

    def _mapped(self, wanted: int) -> memoryview:
        ahead = self._position % mmap.PAGESIZE
        flags = mmap.MAP_SHARED | mmap.MAP_POPULATE
        start = self._position - ahead
        mapped = mmap.mmap(self._source, ahead + wanted, flags, mmap.PROT_READ, offset=start)
        return memoryview(mapped)[ahead:]

    def _wait(self) -> None:
        told = os.eventfd_read(self._counter)
        if told >= FAILED:
            raise CorruptDataError("what came is of no use")
        self._has_ended = told >= ENDED
        self._size += told % ENDED


def main() -> None:
    """Unpack, and say how that went."""
    root, source, counter = map(int, sys.argv[1:4])
    is_hashed, alone = sys.argv[4] == "hashed", sys.argv[5] == "alone"
    is_told = sys.argv[6] == "told"
    die_with(int(sys.argv[7]))
    stream = _Growing(source, counter, is_mapped=not is_hashed, is_told=is_told)
    try:
        if is_hashed:
            # Decompressors take their time to load.
            from naru.images.layers.applying import apply_hashed  # noqa: PLC0415

            words = _success(*apply_hashed(stream, root, alone=alone))
        else:
            words = _success("", apply_at(stream, root, alone=alone))
    except NaruError as error:
        words = [type(error).__name__, error.message, error.hint]
    os.write(_OUT, POSITION.pack(RESULT) + "\0".join(words).encode(errors="surrogateescape"))


def _success(digest: str, applied: Applied) -> list[str]:
    flags = applied.has_root, applied.has_removed
    return [digest, *map(str, (applied.entries, applied.size, *map(int, flags)))]


if __name__ == "__main__":
    main()
