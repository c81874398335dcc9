"""From wanted mounts to places on the host: volumes made, sources checked, content copied up."""

from __future__ import annotations

import logging
import os
import posixpath
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from naru.aio import in_own_thread, in_thread
from naru.api.host_config import HostConfig
from naru.engine.context import EngineContext
from naru.engine.model import Container, MountRecord
from naru.errors import InvalidInputError, NotFoundError, UnavailableError
from naru.ids import new_id
from naru.runtime import bundle as bundles
from naru.volumes.copy_up import copy_up
from naru.volumes.model import ANONYMOUS_LABEL, LOCAL
from naru.volumes.plugin_protocol import PluginRefusedError

_log = logging.getLogger(__name__)


def thread_for(ctx: EngineContext, container: Container) -> Callable[..., Awaitable[Any]]:
    """Return what runs work that touches the content of a container's volumes off the loop.

    A file server or a plugin that does not answer holds a thread for as long as it likes; that
    must not be one of those that all others share.
    """
    names = {mount.name for mount in container.record.mounts if mount.type == "volume"}
    volumes = [ctx.volumes.get(name) for name in names]
    is_near = all(volume is None or volume.is_plain for volume in volumes)
    return in_thread if is_near else in_own_thread


def inherited_mounts(ctx: EngineContext, host_config: HostConfig) -> list[MountRecord]:
    """Return the mounts of the containers named by `--volumes-from`.

    Raises:
        InvalidInputError: no such container, or a mode after the colon that is none.
    """
    mounts: list[MountRecord] = []
    for text in host_config.volumes_from or ():
        name, _, mode = text.partition(":")
        if not name:
            raise InvalidInputError("volumes-from specification cannot be an empty string")
        options = set(mode.split(",")) if mode else set[str]()
        if not options <= {"ro", "rw", "z", "Z"} or len(options & {"ro", "rw"}) > 1:
            raise InvalidInputError(f"invalid mode: {mode}")
        for mount in _mounts_of(ctx, name):
            if mount.type == "tmpfs":
                continue
            mounts.append(
                MountRecord(
                    type=mount.type,
                    destination=mount.destination,
                    source=mount.source,
                    name=mount.name,
                    driver=mount.driver,
                    mode=mount.mode,
                    read_write=mount.read_write and "ro" not in options,
                    propagation=mount.propagation,
                    subpath=mount.subpath,
                    options=mount.options,
                )
            )
    return mounts


def _mounts_of(ctx: EngineContext, name: str) -> list[MountRecord]:
    try:
        return ctx.registry.find(name).record.mounts
    except NotFoundError as error:
        # 404 would tell clients that the image is missing.
        raise InvalidInputError(error.message) from error


def name_anonymous_volumes(mounts: list[MountRecord]) -> None:
    """Name the volumes that nobody named, before anything is written or made.

    Their names are part of the intent: an engine killed half-way finds them in the row.
    """
    for mount in mounts:
        if mount.type == "volume" and not mount.name:
            mount.name = new_id()
            mount.anonymous = True


def provide_volumes(ctx: EngineContext, container: Container) -> None:
    """Make the volumes that a new container needs and fill in their paths. Blocking.

    Raises:
        InvalidInputError: a bind that must exist does not.
    """
    for mount in container.record.mounts:
        if mount.type == "volume" and not mount.source:
            _provide_volume(ctx, container, mount)
        elif "required" in mount.options and not os.path.lexists(mount.source):
            raise InvalidInputError(
                'invalid mount config for type "bind": '
                f"bind source path does not exist: {mount.source}"
            )


def remove_anonymous_volumes(ctx: EngineContext, container: Container) -> None:
    """Remove the container's volumes that have no name of a user's and no other user.

    Blocking, idempotent.
    """
    for mount in container.record.held_mounts():
        if mount.type != "volume" or is_volume_used(ctx, mount.name, besides=container.id):
            continue
        volume = ctx.volumes.get(mount.name)
        if volume is not None and volume.is_anonymous:
            ctx.volumes.remove(mount.name, force=True)


def is_volume_used(ctx: EngineContext, name: str, *, besides: str) -> bool:
    """Say whether a container other than `besides` mounts the volume."""
    return any(
        mount.type == "volume" and mount.name == name
        for container in ctx.registry
        if container.id != besides
        for mount in container.record.held_mounts()
    )


def _provide_volume(ctx: EngineContext, container: Container, mount: MountRecord) -> None:
    driver, options, labels = _volume_request(container.host_config, mount)
    if mount.anonymous:
        # Nobody else can have one of this name: no plugin need be asked.
        driver, labels = driver or LOCAL, {**labels, ANONYMOUS_LABEL: ""}
    volume = ctx.volumes.create(mount.name, driver, options, labels)
    mount.driver = volume.driver
    mount.source = str(volume.mountpoint or "")


def _volume_request(
    host_config: HostConfig, mount: MountRecord
) -> tuple[str, dict[str, str], dict[str, str]]:
    """Return driver, options and labels that a volume is asked for with; no driver is any.

    Docker's `VolumeDriver` is for volumes of `-v` and of the image, not for those of `--mount`.
    """
    for request in host_config.mounts or ():
        if posixpath.normpath(request.target) == mount.destination:
            asked = request.volume_options
            config = asked.driver_config if asked else None
            return (
                config.name if config else "",
                (config.options or {}) if config else {},
                (asked.labels or {}) if asked else {},
            )
    return host_config.volume_driver, {}, {}


async def copy_up_volumes(ctx: EngineContext, container: Container) -> None:
    """Fill empty volumes with what the image has at their destination. Idempotent."""
    wanted = [m for m in container.record.mounts if m.type == "volume" and m.copy_up]
    if not wanted:
        return

    def copy() -> None:
        mounts = ctx.images.snapshots.mounts(container.layer)
        bundle = bundles.create(ctx.config.exec_root, container.id, mounts)
        try:
            for mount in wanted:
                _copy_up(ctx, bundle.rootfs, mount, f"{container.id}-copy")
        finally:
            bundles.remove(ctx.config.exec_root, container.id)

    await thread_for(ctx, container)(copy)


def _copy_up(ctx: EngineContext, rootfs: Path, mount: MountRecord, user: str) -> None:
    path = ctx.volumes.uses.mount(mount.name, user)
    try:
        copy_up(rootfs, mount.destination, path, ctx.volumes.staging(mount.name))
    finally:
        ctx.volumes.uses.unmount(mount.name, user)


def unmount_volumes(ctx: EngineContext, container: Container, user: str = "") -> None:
    """Say that a container, or `user` on its behalf, uses its volumes no more. Blocking.

    Idempotent. A plugin that does not work is logged; it is told before the next use, and when
    an engine starts.

    Raises:
        FaultError: the kernel refused.
    """
    for name in {mount.name for mount in container.record.mounts if mount.type == "volume"}:
        try:
            ctx.volumes.uses.unmount(name, user or container.id)
        except (UnavailableError, NotFoundError, PluginRefusedError) as error:
            _log.warning("volume %s stays mounted: %s", name, error.message)
