"""Copies of volumes: archives out of them and into them, snapshots, and the way back.

Extensions of ours. An archive shows each file as it is when its turn comes; to have all of them
from one moment, and for a snapshot of a volume that is in use, containers are paused meanwhile.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

from naru.aio import in_thread, pieces_of_thread, uncancelled
from naru.engine.containers.freezing import frozen
from naru.engine.context import EngineContext
from naru.engine.volumes import volume_users
from naru.errors import ConflictError, NotFoundError
from naru.ids import new_id
from naru.images.layers.compression import open_plain
from naru.images.layers.intake import read_in_thread
from naru.images.layers.pipe import Pipe
from naru.store.tree_archive import TreeArchive
from naru.store.tree_extract import extract
from naru.units import print_rfc3339
from naru.volumes.model import LOCAL
from naru.volumes.snapshots import VolumeSnapshot

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


async def export_volume(ctx: EngineContext, name: str, *, pauses: bool) -> AsyncGenerator[bytes]:
    """Yield a tar of all that is in a volume, its own directory first, as `./`.

    With `pauses` the containers that use it hold still until the end.

    Raises:
        NotFoundError: no such volume.
        ConflictError: it is being replaced.
        FaultError, UnavailableError: it cannot be mounted or read.
    """
    user = f"export-{new_id()}"

    def work(write: Callable[[bytes], None]) -> None:
        path = ctx.volumes.uses.mount(name, user)
        try:
            _archive(path, write)
        finally:
            ctx.volumes.uses.unmount(name, user)

    async with (
        _held_still(ctx, name, pauses=pauses),
        contextlib.aclosing(pieces_of_thread(work)) as pieces,
    ):
        async for piece in pieces:
            yield piece
    _publish(ctx, "export", name)


def _archive(path: Path, write: Callable[[bytes], None]) -> None:
    root = os.open(path, _DIRECTORY)
    try:
        archive = TreeArchive(keeps_holes=True)
        for block in archive.add(root, b"."):
            write(block)
        write(archive.end())
    finally:
        os.close(root)


async def import_volume(
    ctx: EngineContext, name: str, chunks: AsyncIterator[bytes], *, replaces: bool
) -> None:
    """Fill a volume from a tar, compressed or not; a local one is made where there is none.

    It holds all of the archive in the end, or what it held before (`Volumes.replace_content`).
    `replaces` allows that it held something.

    Raises:
        InvalidInputError: no archive, or entries that cannot be, or that lead out of the volume.
        ConflictError: a container runs that uses it; or it is not empty.
        NotSupportedError: it is mounted from elsewhere, and to be replaced.
        FaultError: the disk or the volume's quota is full, or the disk fails.
    """
    is_new = ctx.volumes.get(name) is None

    def work(stream: Pipe) -> None:
        def fill(fresh: Path) -> None:
            _, plain = open_plain(stream)
            root = os.open(fresh, _DIRECTORY)
            try:
                extract(plain, root, b"", restores_directory=True, needs_end=True)
            finally:
                os.close(root)

        ctx.volumes.replace_content(name, fill, if_empty=not replaces)

    try:
        if is_new:
            await uncancelled(in_thread(ctx.volumes.create, name, LOCAL))
        await uncancelled(read_in_thread(chunks, work))
    except BaseException:
        if is_new:
            await uncancelled(_take_back(ctx, name))
        raise
    if is_new:
        _publish(ctx, "create", name)
    _publish(ctx, "import", name)


async def _take_back(ctx: EngineContext, name: str) -> None:
    """Remove a volume that was made for nothing, unless somebody else has come to it."""
    users = volume_users(ctx).get(name, ())
    with contextlib.suppress(ConflictError):
        await in_thread(ctx.volumes.remove, name, users=users, force=True, if_empty=True)


async def take_snapshot(
    ctx: EngineContext, name: str, snapshot: str, *, pauses: bool
) -> dict[str, Any]:
    """Keep what a volume holds now; without a name, the snapshot is called after the time.

    With `pauses` the containers that use it hold still meanwhile; without, none may run.

    Raises as `VolumeSnapshots.take`.
    """
    if not snapshot:
        moment = print_rfc3339(ctx.clock.now_ns() // 10**9 * 10**9)
        snapshot = moment.replace(":", "-").removesuffix("Z")
    async with _held_still(ctx, name, pauses=pauses) as users:
        taken = await uncancelled(
            in_thread(ctx.volumes.snapshots.take, name, snapshot, besides=users)
        )
    _publish(ctx, "snapshot", name, snapshot=snapshot)
    return _view(taken)


async def list_snapshots(ctx: EngineContext, name: str) -> list[dict[str, Any]]:
    """Return the snapshots of a volume, the oldest first.

    Raises:
        NotFoundError: no such volume.
    """
    if ctx.volumes.get(name) is None:
        raise NotFoundError(f"get {name}: no such volume")
    return [_view(one) for one in await in_thread(ctx.volumes.snapshots.list, name)]


async def remove_snapshot(ctx: EngineContext, name: str, snapshot: str) -> None:
    """Delete a snapshot. Raises as `VolumeSnapshots.remove`."""
    await uncancelled(in_thread(ctx.volumes.snapshots.remove, name, snapshot))
    _publish(ctx, "snapshot-remove", name, snapshot=snapshot)


async def restore_snapshot(ctx: EngineContext, name: str, snapshot: str) -> None:
    """Let a volume hold what it held then. Raises as `VolumeSnapshots.restore`."""
    await uncancelled(in_thread(ctx.volumes.snapshots.restore, name, snapshot))
    _publish(ctx, "restore", name, snapshot=snapshot)


@contextlib.asynccontextmanager
async def _held_still(
    ctx: EngineContext, name: str, *, pauses: bool
) -> AsyncIterator[frozenset[str]]:
    """Pause the containers that run with the volume, and yield their ids; or leave them alone."""
    users = [
        container
        for container in ctx.registry
        if pauses
        and container.is_running
        and any(mount.type == "volume" and mount.name == name for mount in container.record.mounts)
    ]
    async with contextlib.AsyncExitStack() as paused:
        # In one order everywhere: two copies that wait for each other's would wait for ever.
        for container in sorted(users, key=lambda one: one.id):
            await paused.enter_async_context(frozen(ctx, container))
        yield frozenset(container.id for container in users)


def _view(snapshot: VolumeSnapshot) -> dict[str, Any]:
    return {
        "Name": snapshot.name,
        "CreatedAt": print_rfc3339(snapshot.created_ns // 10**9 * 10**9),
        "Size": snapshot.size_bytes,
    }


def _publish(ctx: EngineContext, action: str, name: str, **attributes: str) -> None:
    volume = ctx.volumes.get(name)
    driver = volume.driver if volume else ""
    ctx.events.publish("volume", action, name, {"driver": driver, **attributes})
