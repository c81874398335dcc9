"""`attach` with `logs`: what was written before comes first, and then what comes live.

The client is connected before the log is read, so that nothing falls between; so the end of the
log may come a second time, live. What the log has since the connection was asked for is compared
with what comes first, and left out where they agree.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

from naru.engine.live.attachments import StreamSource
from naru.runtime.log_lines import Record

# What may come twice is what is written while a log is read.
_LONGEST: Final = 1 << 20
_PATIENCE_S: Final = 0.1


class Replay:
    """The log up to now, and what of it may come again: the end of each stream."""

    def __init__(self, records: AsyncIterator[Record], connected: bytes) -> None:
        """Replay `records`; `connected` is the time before the connection, as in a record."""
        self._records = records
        self._connected = connected
        self.ends: dict[int, bytes] = {}

    async def pieces(self) -> AsyncIterator[tuple[int, bytes]]:
        """Yield the log as (stream, bytes)."""
        async for record in self._records:
            if record.timestamp >= self._connected:
                end = self.ends.get(record.stream, b"") + record.data
                self.ends[record.stream] = end[-_LONGEST:]
            yield record.stream, record.data


class LiveAfterReplay:
    """A container's streams without what the replay, which is over, has had already."""

    def __init__(self, source: StreamSource, replay: Replay) -> None:
        self._source = source
        self._replay = replay
        self._waiting: deque[tuple[int, bytes]] = deque()

    async def read(self) -> tuple[int, bytes] | None:
        while True:
            piece = self._waiting.popleft() if self._waiting else await self._source.read()
            if piece is None:
                return None
            stream, data = piece
            end = self._replay.ends.pop(stream, b"")
            if not end:
                return piece
            data = await self._more(stream, data, len(end))
            data = data[overlap(end, data) :]
            if data:
                return stream, data

    async def _more(self, stream: int, data: bytes, wanted: int) -> bytes:
        """Return `data` with what follows it at once, so that there is enough to compare."""
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while len(data) < wanted and (piece := await self._source.read()) is not None:
                    if piece[0] == stream:
                        data += piece[1]
                    else:
                        self._waiting.append(piece)
        except TimeoutError:
            pass
        return data

    async def write(self, data: bytes) -> None:
        await self._source.write(data)

    async def close_stdin(self) -> None:
        await self._source.close_stdin()

    def close(self) -> None:
        self._source.close()


def overlap(end: bytes, live: bytes) -> int:
    """Return how many bytes at the start of `live` are the last ones of `end`, at most."""
    first = live[:1]
    start = end.find(first, max(len(end) - len(live), 0)) if first else -1
    while start >= 0:
        if live.startswith(end[start:]):
            return len(end) - start
        start = end.find(first, start + 1)
    return 0
