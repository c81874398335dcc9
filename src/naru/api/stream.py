"""Docker's multiplexed stream: frames of an eight-byte header and data. Pure.

Spec: Engine API 1.50, ContainerAttach, "Stream format": one byte that names the stream, three
zeros, the length of the data as a big-endian 32-bit number.
"""

from __future__ import annotations

import struct

_HEADER = struct.Struct(">BxxxL")
RAW_TYPE = "application/vnd.docker.raw-stream"
MULTIPLEXED_TYPE = "application/vnd.docker.multiplexed-stream"


def frame(stream: int, data: bytes) -> bytes:
    """Return one frame; 0 is stdin, 1 stdout, 2 stderr."""
    return _HEADER.pack(stream, len(data)) + data
