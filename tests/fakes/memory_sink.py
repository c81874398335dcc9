"""Where a blob goes that is fetched for its bytes alone."""

from __future__ import annotations

from collections.abc import Sequence


class MemorySink:
    """A sink that keeps bytes; `data` may be the beginning that is there already."""

    def __init__(self, data: bytes = b"") -> None:
        self.data = bytearray(data)

    @property
    def offset(self) -> int:
        return len(self.data)

    def write_all(self, pieces: Sequence[bytes]) -> None:
        self.data += b"".join(pieces)
