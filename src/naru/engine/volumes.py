"""Volumes, as the API says them."""

from __future__ import annotations

from typing import Any

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.engine.context import EngineContext
from naru.engine.pruning import has_pruned_labels
from naru.errors import ConflictError, NotFoundError
from naru.ids import new_id
from naru.units import ZERO_TIME, print_rfc3339
from naru.volumes.model import ANONYMOUS_LABEL, Volume

_LIST_FILTERS = frozenset("dangling driver label name".split())
_PRUNE_FILTERS = frozenset("all label label!".split())


async def list_volumes(ctx: EngineContext, filters: Filters) -> dict[str, Any]:
    """Return the volumes that fit.

    Raises:
        InvalidInputError: a filter is unknown.
    """
    filters.refuse_unknown(_LIST_FILTERS)
    users = volume_users(ctx)
    found = []
    volumes, warnings = await in_thread(ctx.volumes.list_all)
    for volume in volumes:
        dangling = volume.name not in users
        if "dangling" in filters and filters.is_true("dangling") != dangling:
            continue
        if (
            filters.matches_fuzzily("name", volume.name)
            and filters.matches("driver", volume.driver)
            and filters.matches_labels("label", volume.labels)
        ):
            found.append(volume_view(volume))
    return {"Volumes": found, "Warnings": warnings or None}


def volume_users(ctx: EngineContext) -> dict[str, list[str]]:
    """Return the ids of the containers that mount each volume."""
    users: dict[str, list[str]] = {}
    for container in ctx.registry:
        for mount in container.record.held_mounts():
            if mount.type == "volume":
                users.setdefault(mount.name, []).append(container.id)
    return users


def volume_view(volume: Volume) -> dict[str, Any]:
    """Return a volume as the API shows it, its use aside."""
    # Of what only a plugin knows nobody can tell when it was made.
    created = print_rfc3339(volume.created_ns // 10**9 * 10**9) if volume.created_ns else ZERO_TIME
    view: dict[str, Any] = {
        "CreatedAt": created,
        "Driver": volume.driver,
        "Labels": dict(volume.labels) or None,
        "Mountpoint": str(volume.mountpoint or ""),
        "Name": volume.name,
        "Options": dict(volume.options) or None,
        "Scope": volume.scope,
    }
    if volume.status:
        view["Status"] = dict(volume.status)
    return view


async def create_volume(
    ctx: EngineContext, name: str, driver: str, options: dict[str, str], labels: dict[str, str]
) -> dict[str, Any]:
    """Make a volume, or return the one that has this name and driver already.

    Raises:
        InvalidInputError: the name or an option is none.
        NotFoundError: no such driver.
        ConflictError: the name belongs to a volume of another driver.
    """
    if not name:
        name, labels = new_id(), {**labels, ANONYMOUS_LABEL: ""}
    volume = await in_thread(ctx.volumes.create, name, driver, options, labels)
    ctx.events.publish("volume", "create", volume.name, {"driver": volume.driver})
    return volume_view(volume)


async def inspect_volume(ctx: EngineContext, name: str) -> dict[str, Any]:
    """Return one volume.

    Raises:
        NotFoundError: no such volume.
    """
    return volume_view(await in_thread(ctx.volumes.inspect, name))


async def remove_volume(ctx: EngineContext, name: str, *, force: bool) -> None:
    """Remove a volume and its content; `force` forgives that there is none.

    Raises:
        NotFoundError: no such volume.
        ConflictError: a container mounts it.
    """
    volume = ctx.volumes.get(name)
    users = volume_users(ctx).get(name, ())
    await in_thread(ctx.volumes.remove, name, users=users, force=force, forgets=force)
    if volume is not None:
        ctx.events.publish("volume", "destroy", name, {"driver": volume.driver})


async def prune_volumes(
    ctx: EngineContext, filters: Filters, api_version: tuple[int, int]
) -> dict[str, Any]:
    """Remove volumes that nobody mounts; from API 1.42 on only anonymous ones, unless `all`.

    As in Docker, only what is a directory of this engine: what a plugin or another file system
    holds is not for it to clear.

    Raises:
        InvalidInputError: a filter is unknown.
        ConflictError: something is being pruned already.
    """
    filters.refuse_unknown(_PRUNE_FILTERS)
    everything = api_version < (1, 42) or filters.is_true("all")
    deleted, reclaimed = [], 0
    with ctx.pruning.turn():
        for volume in await in_thread(ctx.volumes.list):
            if not volume.is_plain or not (everything or volume.is_anonymous):
                continue
            if volume.name in volume_users(ctx) or not has_pruned_labels(filters, volume.labels):
                continue
            try:
                size = await in_thread(ctx.volumes.usage, volume.name)
                # A container may have come while that took its time.
                if volume.name in volume_users(ctx):
                    continue
                await in_thread(ctx.volumes.remove, volume.name)
            except (ConflictError, NotFoundError):
                # It is being copied, or somebody has just removed it.
                continue
            deleted.append(volume.name)
            reclaimed += size
        ctx.events.publish("volume", "prune", "", {"reclaimed": str(reclaimed)})
    return {"VolumesDeleted": deleted or None, "SpaceReclaimed": reclaimed}
