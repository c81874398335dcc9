"""Docker's multiplexed stream: frames of an eight-byte header and data. Sans-IO.

Spec: Engine API 1.50, ContainerAttach, "Stream format": one byte that names the stream, three
zeros, the length of the data as a big-endian 32-bit number.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

_HEADER = struct.Struct(">BxxxL")
RAW_TYPE = "application/vnd.docker.raw-stream"
MULTIPLEXED_TYPE = "application/vnd.docker.multiplexed-stream"


def frame(stream: int, data: bytes) -> bytes:
    """Return one frame; 0 is stdin, 1 stdout, 2 stderr."""
    return _HEADER.pack(stream, len(data)) + data


class FrameReader:
    """Takes bytes as they come and gives whole frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Yield every frame that is complete by now, as (stream, data)."""
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= _HEADER.size:
            stream, length = _HEADER.unpack_from(self._buffer, start)
            end = start + _HEADER.size + length
            if len(self._buffer) < end:
                break
            yield stream, bytes(self._buffer[start + _HEADER.size : end])
            start = end
        del self._buffer[:start]
