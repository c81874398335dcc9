"""An archive being written: entries and their data in, pieces of a MiB or so out."""

from __future__ import annotations

from collections.abc import Callable

from naru.errors import CorruptDataError
from naru.store import tar_read
from naru.store.tar_header import END, entry_blocks, padding
from naru.store.tar_read import Entry, Readable

Write = Callable[[bytes], object]
"""Takes a piece of an archive, which is never changed afterwards."""

_PIECE = 1 << 20
# Above this, gathering costs more than it saves.
_LARGE = 1 << 18


class TarWriter:
    """Writes one archive, front to back. One thread at a time; memory is constant."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._buffer = bytearray()

    def add(self, entry: Entry, data: Readable | None = None) -> None:
        """Add an entry, and of `data` as many bytes as its `size` says.

        Raises:
            CorruptDataError: there are fewer.
        """
        self._put(entry_blocks(entry))
        left = entry.size
        while left and data is not None:
            piece = data.read(min(left, _PIECE))
            if not piece:
                raise CorruptDataError(f"tar: {entry}: ends {left} bytes early")
            left -= len(piece)
            self._put(piece)
        self._put(padding(entry.size))

    def add_directory(self, name: str) -> None:
        """Add a directory of root's, older than anything."""
        self.add(_plain(tar_read.DIRECTORY, name, 0o755))

    def add_file(self, name: str, content: bytes) -> None:
        """Add a small file of root's, older than anything."""
        entry = _plain(tar_read.REGULAR, name, 0o644)
        entry.size = len(content)
        self._put(entry_blocks(entry) + content + padding(len(content)))

    def add_stream(self, name: str, data: Readable, size: int) -> None:
        """Add a file of root's, older than anything. Raises as `add`."""
        entry = _plain(tar_read.REGULAR, name, 0o644)
        entry.size = size
        self.add(entry, data)

    def end(self) -> None:
        """Write what an archive ends with, and everything that is held back."""
        self._put(END)
        self._flush()

    def _put(self, data: bytes) -> None:
        if len(data) >= _LARGE:
            self._flush()
            self._write(data)
            return
        self._buffer += data
        if len(self._buffer) >= _PIECE:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            self._write(bytes(self._buffer))
            self._buffer.clear()


def _plain(kind: bytes, name: str, mode: int) -> Entry:
    return Entry(
        kind=kind,
        name=name.encode(),
        link=b"",
        mode=mode,
        uid=0,
        gid=0,
        size=0,
        mtime_ns=0,
    )
