"""From the mounts of a container's record to what the runtime is told to mount, at each start."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from naru.engine.containers.mount_requests import READ_ONLY_ALL, READ_ONLY_TOP, USER_OWNS
from naru.engine.containers.user_namespace import id_maps
from naru.engine.context import EngineContext
from naru.engine.model import Container, MountRecord
from naru.errors import InvalidInputError
from naru.runtime import bundle as bundles
from naru.runtime import bundle_mounts, mountpoints
from naru.runtime.bundle import Bundle
from naru.specgen.id_maps import IdMaps
from naru.specgen.mounts import MountPoint
from naru.specgen.users import resolve_user

# mount_setattr(2) came with it.
_RECURSIVE_READ_ONLY_KERNEL = (5, 12)


def mount_points(
    ctx: EngineContext, container: Container, bundle: Bundle
) -> tuple[MountPoint, ...]:
    """Make everything ready that the container mounts, and say how. Blocking.

    Raises:
        InvalidInputError: a source is not there, or cannot be mounted as asked.
        FaultError: the kernel refused.
    """
    maps = id_maps(ctx, container.host_config)
    names = {mount.name for mount in container.record.mounts if mount.type == "volume"}
    # Once each, though it may be mounted at several places.
    volumes = {name: ctx.volumes.uses.mount(name, container.id) for name in sorted(names)}
    user = _user(container, bundle)
    return tuple(
        _mount_point(ctx, bundle, number, mount, maps, volumes, user)
        for number, mount in enumerate(container.record.mounts)
    )


def _mount_point(
    ctx: EngineContext,
    bundle: Bundle,
    number: int,
    mount: MountRecord,
    maps: IdMaps | None,
    volumes: Mapping[str, Path],
    user: tuple[int, int] | None,
) -> MountPoint:
    source, options = mount.source, tuple[str, ...]()
    if USER_OWNS not in mount.options:
        user = None
    match mount.type:
        case "volume":
            root = volumes[mount.name]
            if mount.subpath or maps or user:
                root = bundle_mounts.bind_inside(
                    bundle, number, root, mount.subpath, maps, user=user
                )
            source = str(root)
        case "image":
            view = ctx.images.snapshots.mounts(mount.source)
            source = str(bundle_mounts.mount_view(bundle, number, view, mount.subpath, maps))
        case "bind":
            if not ("required" in mount.options or os.path.lexists(source)):
                # Docker makes the missing source of a -v, as a folder.
                os.makedirs(source, mode=0o755, exist_ok=True)
            mountpoints.check_propagation(source, mount.propagation)
            options = _bind_options(ctx, mount)
            if user:
                # Files of binds are the host's in user namespaces, too: not those of `maps`.
                given = bundle_mounts.bind_inside(
                    bundle, number, Path("/"), source, user=_host(user, maps)
                )
                source = str(given)
        case _:
            options = tuple(mount.options)
    return MountPoint(
        type="bind" if mount.type == "image" else mount.type,
        source=source,
        destination=mountpoints.resolve(bundle.rootfs, mount.destination),
        read_only=not mount.read_write,
        propagation=mount.propagation,
        options=options,
    )


def _user(container: Container, bundle: Bundle) -> tuple[int, int] | None:
    """Return who the container runs as, if a mount is to be his."""
    if not any(USER_OWNS in mount.options for mount in container.record.mounts):
        return None
    texts = (bundles.read_rootfs_text(bundle, f"etc/{name}") for name in ("passwd", "group"))
    user = resolve_user(container.config.user, *texts)
    return user.uid, user.gid


def _host(user: tuple[int, int], maps: IdMaps | None) -> tuple[int, int]:
    return maps.on_host(*user) if maps else user


def _bind_options(ctx: EngineContext, mount: MountRecord) -> tuple[str, ...]:
    options = [option for option in mount.options if option == "bind"]
    is_able = ctx.facts.kernel >= _RECURSIVE_READ_ONLY_KERNEL
    if READ_ONLY_ALL in mount.options and not is_able:
        raise InvalidInputError("rro is not supported: kernel version < 5.12")
    # Below a file nothing is mounted, and crun takes the option for directories only.
    is_whole = os.path.isdir(mount.source) and READ_ONLY_TOP not in mount.options
    if not mount.read_write and is_able and is_whole:
        options.append("rro")
    return tuple(options)
