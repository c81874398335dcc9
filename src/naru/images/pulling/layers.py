"""The layers of one image, from the registry into the store and onto disk, all at once.

Layers come three at a time, and each is unpacked while it comes: on the layers below if they are
there, or else alone, and it takes its place when they are (ADR 28). Nothing is committed before
both of its digests were seen to be right.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from naru.aio import TaskSet, all_or_first_failure, in_own_thread, in_thread, uncancelled
from naru.errors import FaultError, NaruError
from naru.faults import fault_point
from naru.ids import short_id
from naru.images.layers.unpack import (
    LayerSource,
    Unpacking,
    apply_arriving,
    check_diff_id,
)
from naru.images.progress import LayerProgress, Report
from naru.images.pulling.blobs import BlobPull, Watcher
from naru.linux.memory import give_back_memory
from naru.oci.descriptor import Descriptor
from naru.oci.digest import ChainId, DiffId
from naru.oci.image_config import chain_ids
from naru.store.tar_read import Readable
from naru.store.tree import NeedsParentError

_AFTER_LAYER = fault_point("images.pull.after_layer")


@dataclass(slots=True)
class _Layer:
    """One layer of the image, and how far it is."""

    position: int
    descriptor: Descriptor
    diff_id: DiffId
    chain_id: ChainId
    parent: ChainId | None
    line: LayerProgress
    watcher: Watcher = field(init=False)
    is_fetched: bool = False

    def __post_init__(self) -> None:
        self.watcher = Watcher(self.line.hear)

    @property
    def key(self) -> str:
        """What it is locked and heard of by while it is unpacked."""
        return f"layer {self.chain_id}"

    def hear_unpacking(self, status: str, current: int | None = None) -> None:
        """Tell how far unpacking is; before, the line tells how much has come."""
        if self.is_fetched:
            self.line.hear(status, current)


class LayersPull:
    """All layers of one image."""

    def __init__(
        self,
        blobs: BlobPull,
        layers: Sequence[Descriptor],
        diff_ids: Sequence[DiffId],
        report: Report,
    ) -> None:
        self._blobs = blobs
        self._services = blobs.services
        self._slots = asyncio.Semaphore(self._services.parallel_downloads)
        self._unpack_slots = asyncio.Semaphore(self._services.parallel_downloads)
        self._is_over = threading.Event()
        self._loop = asyncio.get_running_loop()
        self._chain = chain_ids(diff_ids)
        clock = self._services.clock
        self._layers = [
            _Layer(
                position=position,
                descriptor=descriptor,
                diff_id=diff_ids[position],
                chain_id=self._chain[position],
                parent=self._chain[position - 1] if position else None,
                line=LayerProgress(report, clock, short_id(descriptor.digest), descriptor.size),
            )
            for position, descriptor in enumerate(layers)
        ]

    async def run(self) -> list[int]:
        """Fetch and unpack what is missing; return the layers' sizes on disk, lowest first.

        The first failure stops everything else.

        Raises:
            NaruError: as `BlobPull.fetch` and `Unpacker.unpack`.
        """
        self._services.leases.add(self._blobs.lease_id, "snapshot", *self._chain)
        missing = [layer for layer in self._layers if not self._is_here(layer)]
        for layer in self._layers:
            layer.line.say("Pulling fs layer" if layer in missing else "Already exists")
        for layer in missing[self._services.parallel_downloads :]:
            layer.line.say("Waiting")
        work = TaskSet("pull")
        tasks: list[asyncio.Task[None]] = []
        below: asyncio.Task[None] | None = None
        for layer in missing:
            fetching = work.start(self._fetch(layer), reports_failure=False)
            below = work.start(self._unpack(layer, fetching, below), reports_failure=False)
            tasks += [fetching, below]
        try:
            await all_or_first_failure(tasks)
        finally:
            self._is_over.set()
            for layer in missing:
                layer.watcher.arrival.end(FaultError("the pull is over"))
            await work.close()
            for layer in missing:
                layer.watcher.arrival.close()
            if missing:
                await in_thread(give_back_memory)
        return await in_thread(lambda: [self._services.snapshots.usage(c) for c in self._chain])

    def _is_here(self, layer: _Layer) -> bool:
        return (
            self._services.snapshots.stat(layer.chain_id) is not None
            and self._services.content.stat(layer.descriptor.digest) == layer.descriptor.size
        )

    async def _fetch(self, layer: _Layer) -> None:
        async with self._slots:
            await self._blobs.fetch(layer.descriptor, layer.watcher)
        layer.line.say("Download complete")
        layer.is_fetched = True

    async def _unpack(
        self, layer: _Layer, fetching: asyncio.Task[None], below: asyncio.Task[None] | None
    ) -> None:
        # Of several pulls that need this layer, one unpacks it. Whoever holds the lock waits
        # for layers below only, which no holder of a lower one's lock ever does in turn.
        async with contextlib.AsyncExitStack() as stack:
            hear = layer.hear_unpacking
            stack.enter_context(self._services.audience.listening(layer.key, hear))
            await stack.enter_async_context(self._services.locks.hold(layer.key))
            early = None
            if self._services.snapshots.stat(layer.chain_id) is None:
                async with self._unpack_slots:
                    if not self._services.early_unpacks.locked():
                        async with self._services.early_unpacks:
                            early = await self._unpack_early(layer, fetching, stack)
            await fetching
            if below is not None:
                await below
            if early is not None:
                self._services.audience.tell(layer.key, "Extracting", layer.descriptor.size)
            await uncancelled(in_own_thread(self._finish, layer, early))
        _AFTER_LAYER()
        layer.line.say("Pull complete")

    async def _unpack_early(
        self, layer: _Layer, fetching: asyncio.Task[None], stack: contextlib.AsyncExitStack
    ) -> Unpacking | None:
        """Unpack a layer while it comes; None if it has to wait for others."""
        services = self._services
        has_parent = layer.parent is None or services.snapshots.stat(layer.parent) is not None
        if not has_parent and not services.snapshots.can_rebase:
            return None
        preparing = services.unpacker.preparing(
            layer.parent if has_parent else None, self._blobs.lease_id
        )
        stack.push_async_callback(_left, preparing)
        unpacking = await uncancelled(in_thread(preparing.__enter__))
        unpacking.was_alone = not has_parent
        try:
            diff_id = await uncancelled(
                in_own_thread(
                    apply_arriving,
                    layer.watcher.arrival,
                    unpacking,
                    is_hashed=True,
                    expected=layer.descriptor.size,
                    moved=self._mover(layer),
                )
            )
            check_diff_id(layer.position, layer.diff_id, diff_id)
        except NeedsParentError:
            return None
        except NaruError:
            # Bytes that are not the blob's tell nothing about it: it may come right yet.
            await fetching
            if not layer.watcher.arrival.has_failed:
                raise
            return None
        return unpacking

    def _finish(self, layer: _Layer, early: Unpacking | None) -> None:
        """Put the layer in its place. The layers below are there, and so is its blob."""

        @contextlib.contextmanager
        def opened() -> Iterator[Readable]:
            with self._services.content.open(layer.descriptor.digest) as stream:
                yield _Counting(stream, self._mover(layer))

        self._services.unpacker.unpack_layer(
            layer.position,
            LayerSource(layer.diff_id, opened, early),
            layer.chain_id,
            layer.parent,
            self._blobs.lease_id,
        )

    def _mover(self, layer: _Layer) -> Callable[[int], None]:
        """Return what tells how far a layer is unpacked, and raises when nobody wants it any more."""
        tell = self._services.audience.tell

        def moved(current: int) -> None:
            if self._is_over.is_set():
                raise FaultError("the pull is over")
            if layer.is_fetched:
                self._loop.call_soon_threadsafe(tell, layer.key, "Extracting", current)

        return moved


async def _left(preparing: contextlib.AbstractContextManager[Unpacking]) -> None:
    """Leave a context that was entered, or whose entering failed or was cancelled."""
    await uncancelled(in_thread(preparing.__exit__, None, None, None))


class _Counting:
    """A stream that tells how far it was read."""

    def __init__(self, stream: Readable, moved: Callable[[int], None]) -> None:
        self._stream = stream
        self._moved = moved
        self._position = 0

    def read(self, count: int, /) -> bytes:
        data = self._stream.read(count)
        self._position += len(data)
        if data:
            self._moved(self._position)
        return data
