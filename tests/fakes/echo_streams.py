"""A process that is not there: what a client writes comes back, as `AttachStreams` would carry it."""

from __future__ import annotations

import asyncio


class EchoStreams:
    """Echoes input on stdout; `say` adds output of its own."""

    def __init__(self, *, tty: bool = True) -> None:
        self.tty = tty
        self.takes_stdin = True
        self.closed = asyncio.Event()
        self.stdin_ended = asyncio.Event()
        self.received = bytearray()
        self._output: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue(64)
        self.ends_with_stdin = True
        self.speaks_at_once = False

    async def say(self, stream: int, data: bytes) -> None:
        """Write output."""
        await self._output.put((stream, data))

    async def end(self) -> None:
        """End the process."""
        await self._output.put(None)

    async def read(self) -> tuple[int, bytes] | None:
        return await self._output.get()

    async def write(self, data: bytes) -> None:
        self.received += data
        await self._output.put((1, data))

    async def close_stdin(self) -> None:
        self.stdin_ended.set()
        if self.ends_with_stdin:
            await self._output.put((1, b"bye"))
            await self._output.put(None)

    async def close(self) -> None:
        self.closed.set()
