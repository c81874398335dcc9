"""Opening the files of a container, running or not, for a copy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from naru.engine.containers.mount_requests import READ_ONLY_TOP
from naru.engine.containers.tidying import tidy
from naru.engine.containers.user_namespace import id_maps
from naru.engine.containers.volume_mounts import thread_for, unmount_volumes
from naru.engine.context import EngineContext
from naru.engine.live.open_files import BreakOff, Hold
from naru.engine.model import Container, MountRecord
from naru.errors import ConflictError, NotFoundError
from naru.runtime import bundle as bundles
from naru.runtime.file_view import ContainerFiles, ViewMount, open_running, open_stopped

_ETC_FILES = ("hosts", "hostname", "resolv.conf")


async def hold_files(ctx: EngineContext, container: Container, break_off: BreakOff) -> Hold:
    """Open a container's files, or share them with the copies that go on; release them at the end.

    Raises:
        ConflictError: the container is being removed.
        FaultError: the files cannot be had.
    """

    async def open_files() -> ContainerFiles:
        if not container.is_running:
            await tidy(ctx, container)
        files: ContainerFiles = await thread_for(ctx, container)(_open, ctx, container)
        return files

    async with ctx.locks.hold(container.id):
        if container.is_leaving:
            raise ConflictError(f"container {container.id} is marked for removal")
        return await ctx.open_files.take(container.id, open_files, break_off)


def _open(ctx: EngineContext, container: Container) -> ContainerFiles:
    bundle = bundles.existing(ctx.config.exec_root, container.id)
    maps = id_maps(ctx, container.host_config)
    if container.is_running and (files := open_running(bundle, maps)) is not None:
        return files
    # A process that is gone leaves its root mounted until its end was taken note of.
    is_mounted = container.is_running
    try:
        return open_stopped(
            bundle,
            [] if is_mounted else ctx.images.snapshots.mounts(container.layer),
            _view_mounts(ctx, container),
            read_only=container.host_config.readonly_rootfs,
            is_mounted=is_mounted,
            maps=maps,
        )
    finally:
        # What was opened stays open, mounted or not.
        unmount_volumes(ctx, container, _user(container))


def _view_mounts(ctx: EngineContext, container: Container) -> list[ViewMount]:
    """Return what a start would mount, but for what exists only while a process is there."""
    mounts = [
        _view_mount(ctx, container, mount)
        for mount in container.record.mounts
        if mount.type != "tmpfs"
    ]
    asked = {mount.destination for mount in mounts}
    mounts += _etc_mounts(ctx, container, asked)
    return sorted(mounts, key=lambda mount: mount.destination.count("/"))


def _user(container: Container) -> str:
    return f"{container.id}-files"


def _view_mount(ctx: EngineContext, container: Container, mount: MountRecord) -> ViewMount:
    source = Path(mount.source)
    stack = tuple(ctx.images.snapshots.mounts(mount.source)) if mount.type == "image" else ()
    if mount.type == "volume":
        source = ctx.volumes.uses.mount(mount.name, _user(container))
    elif mount.type == "bind" and not ("required" in mount.options or os.path.lexists(source)):
        source.mkdir(mode=0o755, parents=True, exist_ok=True)
    return ViewMount(
        destination=mount.destination,
        source=source,
        stack=stack,
        subpath=mount.subpath,
        read_only=not mount.read_write,
        writable_below=READ_ONLY_TOP in mount.options,
        is_recursive="bind" not in mount.options,
    )


def _etc_mounts(ctx: EngineContext, container: Container, asked: set[str]) -> list[ViewMount]:
    """Return the files in /etc as the last start has left them; before the first there are none."""
    owner = container.id
    if container.joined_container():
        with contextlib.suppress(NotFoundError):
            owner = ctx.registry.find(container.joined_container()).id
    folder = ctx.config.container_dir(owner)
    return [
        ViewMount(destination=f"/etc/{name}", source=folder / name)
        for name in _ETC_FILES
        if f"/etc/{name}" not in asked and (folder / name).exists()
    ]
