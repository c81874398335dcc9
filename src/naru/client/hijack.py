"""Connections that became a process's streams, and the frames that stdout and stderr share.

Spec: Engine API, ContainerAttach, "Stream format".
"""

from __future__ import annotations

import _socket

from naru.client.wire import Reader
from naru.errors import FaultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STDOUT = 1
STDERR = 2
_SYSTEM_ERROR = 3
_HEADER = 8


class Demultiplexer:
    """Takes frames apart, however they are cut into pieces; sees no socket."""

    def __init__(self) -> None:
        self._held = b""
        self._stream = STDOUT
        self._left = 0

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return `(STDOUT or STDERR, bytes)` of one piece, neighbours of one stream joined.

        Raises:
            FaultError: the other side reports an error in the stream, or sends no frames.
        """
        data = self._held + data
        position, end = 0, len(data)
        parts: list[tuple[int, list[bytes]]] = []
        while position < end:
            if not self._left:
                if end - position < _HEADER:
                    break
                self._read_header(data[position : position + _HEADER])
                position += _HEADER
                continue
            if self._stream == _SYSTEM_ERROR and end - position < self._left:
                break
            piece = data[position : position + self._left]
            self._left -= len(piece)
            position += len(piece)
            if self._stream == _SYSTEM_ERROR:
                text = piece.decode("utf-8", "replace")
                raise FaultError(f"error from daemon in stream: {text}")
            if parts and parts[-1][0] == self._stream:
                parts[-1][1].append(piece)
            else:
                parts.append((self._stream, [piece]))
        self._held = data[position:]
        return [(stream, b"".join(pieces)) for stream, pieces in parts]

    def _read_header(self, header: bytes) -> None:
        kind = header[0]
        if kind > _SYSTEM_ERROR:
            raise FaultError(f"Unrecognized input header: {kind}")
        self._stream = kind or STDOUT
        self._left = int.from_bytes(header[4:], "big")


class HijackedStream:
    """A process's streams: one thread may read while another writes."""

    def __init__(self, reader: Reader, *, is_raw: bool) -> None:
        self._reader = reader
        self._is_raw = is_raw

    def output(self) -> Iterator[tuple[int, bytes]]:
        """Yield `(STDOUT or STDERR, bytes)` until the process or the connection ends."""
        demultiplexer = Demultiplexer()
        while data := self._reader.some():
            if self._is_raw:
                yield STDOUT, data
            else:
                yield from demultiplexer.feed(data)

    def write(self, data: bytes) -> None:
        """Send input; raises OSError when the other side has gone."""
        self._reader.stream.sendall(data)

    def close_input(self) -> None:
        """Tell the process that its input has ended; its output still comes."""
        self._reader.stream.shutdown(_socket.SHUT_WR)

    def abort(self) -> None:
        """End the connection: `output` ends in the thread that reads it."""
        try:
            self._reader.stream.shutdown(_socket.SHUT_RDWR)
        except OSError:
            # It is closed already.
            return

    def close(self) -> None:
        """Close the connection."""
        self._reader.stream.close()
