"""From wanted mounts to places on the host: volumes made, sources checked, content copied up."""

from __future__ import annotations

import os

from naru.aio import in_thread
from naru.api.host_config import HostConfig
from naru.engine.context import EngineContext
from naru.engine.model import Container, MountRecord
from naru.errors import InvalidInputError, NotFoundError
from naru.ids import new_id
from naru.runtime import bundle as bundles
from naru.volumes.copy_up import copy_up
from naru.volumes.model import ANONYMOUS_LABEL


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
    options, labels = _volume_request(container.host_config, mount)
    if mount.anonymous:
        labels = {**labels, ANONYMOUS_LABEL: ""}
    driver = mount.driver
    if driver == "local" and container.host_config.volume_driver:
        driver = container.host_config.volume_driver
    volume = ctx.volumes.create(mount.name, driver, options, labels)
    mount.driver = volume.driver
    mount.source = str(ctx.volumes.path(mount.name))


def _volume_request(
    host_config: HostConfig, mount: MountRecord
) -> tuple[dict[str, str], dict[str, str]]:
    for request in host_config.mounts or ():
        if request.target == mount.destination and request.volume_options:
            config = request.volume_options.driver_config
            return (config.options or {}) if config else {}, request.volume_options.labels or {}
    return {}, {}


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
                copy_up(bundle.rootfs, mount.destination, ctx.volumes.path(mount.name))
        finally:
            bundles.remove(ctx.config.exec_root, container.id)

    await in_thread(copy)


def unmount_idle_volumes(ctx: EngineContext, container: Container) -> None:
    """Unmount the volumes that are file systems of their own and that nobody uses any more."""
    for mount in container.record.mounts:
        if mount.type == "volume" and not _is_in_use(ctx, mount.name):
            volume = ctx.volumes.get(mount.name)
            if volume is not None and volume.options:
                ctx.volumes.unmount(mount.name)


def _is_in_use(ctx: EngineContext, name: str) -> bool:
    return any(
        mount.type == "volume" and mount.name == name
        for container in ctx.registry
        if container.is_running
        for mount in container.record.mounts
    )
