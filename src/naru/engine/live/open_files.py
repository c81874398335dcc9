"""Which containers' files are open for copies: one view per container, however many copies.

A view belongs to one life of a container's root, which must not be mounted twice, nor deleted
while somebody writes to it. So a start and a removal let the copies end first; those that take
too long, because their client does, are broken off.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from naru.aio import in_thread, uncancelled
from naru.errors import ConflictError, NaruError
from naru.runtime.file_view import ContainerFiles

_log = logging.getLogger(__name__)
BreakOff = Callable[[NaruError], Awaitable[None]]
"""Ends a copy for the given reason. Must not wait for the client."""
_PATIENCE_S = 10


@dataclass(slots=True)
class _Shared:
    files: ContainerFiles
    users: dict[Hold, BreakOff] = field(default_factory=dict)
    is_closing: bool = False
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class Hold:
    """One copy's share of a container's files; `release` it in the end."""

    files: ContainerFiles

    def __init__(self, owner: OpenFiles, container_id: str) -> None:
        self._owner = owner
        self._container_id = container_id

    async def release(self) -> None:
        """Let go of the files. Idempotent; completes even if the caller is cancelled."""
        await uncancelled(self._owner.drop(self._container_id, self))


class OpenFiles:
    """The views of one engine. Lives on the loop."""

    def __init__(self) -> None:
        self._shared: dict[str, _Shared] = {}

    async def take(
        self,
        container_id: str,
        open_files: Callable[[], Awaitable[ContainerFiles]],
        break_off: BreakOff,
    ) -> Hold:
        """Return a share of the files, opened by `open_files` unless they are already.

        The caller holds the container's lock. Raises whatever `open_files` raises.
        """
        hold = Hold(self, container_id)
        try:
            await uncancelled(self._open_for(hold, container_id, open_files, break_off))
        except asyncio.CancelledError:
            await hold.release()
            raise
        return hold

    async def settle(self, container_id: str) -> None:
        """Wait until no copy uses the files any more; break off what takes too long.

        The caller holds the container's lock, so that no new copy begins.
        """
        shared = self._shared.get(container_id)
        if shared is None:
            return
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await shared.gone.wait()
        except TimeoutError:
            _log.warning("container %s: a copy that takes too long is broken off", container_id)
            reason = ConflictError(
                f"container {container_id} is started or removed: the copy was broken off"
            )
            for break_off in list(shared.users.values()):
                await break_off(reason)
            await shared.gone.wait()

    async def drop(self, container_id: str, hold: Hold) -> None:
        """Take a share back; the last one closes the files."""
        shared = self._shared.get(container_id)
        if shared is not None and shared.users.pop(hold, None) is not None:
            await self._close_if_unused(container_id)

    async def _open_for(
        self,
        hold: Hold,
        container_id: str,
        open_files: Callable[[], Awaitable[ContainerFiles]],
        break_off: BreakOff,
    ) -> None:
        while (shared := self._shared.get(container_id)) is not None and shared.is_closing:
            await shared.gone.wait()
        if shared is None:
            shared = self._shared[container_id] = _Shared(await open_files())
        # Without a pause since it was seen to be open: it closes with its last user.
        shared.users[hold] = break_off
        hold.files = shared.files

    async def _close_if_unused(self, container_id: str) -> None:
        shared = self._shared.get(container_id)
        if shared is None or shared.users or shared.is_closing:
            return
        shared.is_closing = True
        try:
            # Closing unmounts, which takes time.
            await in_thread(shared.files.close)
        finally:
            del self._shared[container_id]
            shared.gone.set()
