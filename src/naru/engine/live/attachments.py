"""Streams between clients and containers: before the start, while it runs, until they part.

A client may attach to a container that is not running; its streams are joined to the
container's at the start, before the first byte is written, so that nothing is missed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Protocol

from naru.engine.live.detach_keys import DetachFilter

STDOUT = 1
STDERR = 2
_END_S = 2.0


class StreamSource(Protocol):
    """The container's end: what `runtime.attach` connects to."""

    async def read(self) -> tuple[int, bytes] | None: ...
    async def write(self, data: bytes) -> None: ...
    async def close_stdin(self) -> None: ...
    def close(self) -> None: ...


class AttachStreams:
    """One client's view of a container's streams.

    `read` gives (stream, bytes), 1 for stdout and 2 for stderr; a terminal has only stdout.
    It gives None at the end: the process ended, the client typed the detach keys, or `close`.
    """

    def __init__(
        self,
        *,
        tty: bool,
        stdin: bool,
        outputs: frozenset[int],
        detach_keys: bytes = b"",
        replay: AsyncIterator[tuple[int, bytes]] | None = None,
        ended: asyncio.Event | None = None,
        on_detach: Callable[[], None] | None = None,
    ) -> None:
        """Make streams without a source; `join` gives it.

        Clients ask for the exit code as soon as the output is over, so its end waits for
        `ended`, which says that the code is known. `on_detach` is called when the client has
        typed the detach keys.
        """
        self.tty = tty
        self.detached = False
        self.takes_stdin = stdin
        self._outputs = outputs
        self._filter = DetachFilter(detach_keys if tty else b"")
        self._replay = replay
        self._ended = ended
        self._on_detach = on_detach
        self._source: asyncio.Future[StreamSource | None] = (
            asyncio.get_running_loop().create_future()
        )

    @classmethod
    def of_text(cls, text: str, *, tty: bool) -> AttachStreams:
        """Return streams that say one thing and end."""

        async def say() -> AsyncIterator[tuple[int, bytes]]:
            yield STDOUT, text.encode()

        streams = cls(tty=tty, stdin=False, outputs=frozenset({STDOUT}), replay=say())
        streams.join(None)
        return streams

    def join(self, source: StreamSource | None) -> None:
        """Connect to the container; None means that it will never run."""
        if not self._source.done():
            self._source.set_result(source)
        elif source is not None:
            source.close()

    @property
    def speaks_at_once(self) -> bool:
        """Say whether there is output already: that of the log."""
        return self._replay is not None

    @property
    def is_mute(self) -> bool:
        """Say whether neither input nor output was asked for."""
        return not self.takes_stdin and not self._outputs

    async def read(self) -> tuple[int, bytes] | None:
        """Return the next piece of output, or None at the end."""
        if self._replay is not None:
            replayed = await anext(self._replay, None)
            if replayed is not None:
                return replayed
            self._replay = None
        source = await asyncio.shield(self._source)
        while source is not None:
            piece = await source.read()
            if piece is None or self.detached:
                break
            if piece[0] in self._outputs:
                return piece
        if self._ended is not None and not self.detached:
            # A process may close its output and live on: that is no reason to wait for long.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _END_S)
        return None

    async def write(self, data: bytes) -> None:
        """Send input; what a container without stdin is sent goes nowhere."""
        if not self.takes_stdin or self.detached:
            return
        source = await asyncio.shield(self._source)
        if source is None:
            return
        passed, detached = self._filter.feed(data)
        if passed:
            await source.write(passed)
        if detached:
            self.detached = True
            source.close()
            if self._on_detach is not None:
                self._on_detach()

    async def close_stdin(self) -> None:
        """Tell the process that no more input comes."""
        if not self.takes_stdin or self.detached:
            return
        source = await asyncio.shield(self._source)
        if source is not None:
            await source.close_stdin()

    async def close(self) -> None:
        """Part from the container, which goes on. Idempotent."""
        self.detached = True
        if not self._source.done():
            self._source.set_result(None)
            return
        source = self._source.result()
        if source is not None:
            source.close()


class Attachments:
    """Streams that wait for their container's start, and those that it has now."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, list[AttachStreams]] = defaultdict(list)

    def wait_for_start(self, container_id: str, streams: AttachStreams) -> None:
        """Keep `streams` until the container starts or is removed."""
        self._waiting[container_id].append(streams)

    def take(self, container_id: str) -> list[AttachStreams]:
        """Return and forget the streams that wait for this container; closed ones are left out."""
        return [s for s in self._waiting.pop(container_id, []) if not s.detached]


def log_path(container_dir: Path) -> Path:
    """Return where a container's log is."""
    return container_dir / "container.log"
