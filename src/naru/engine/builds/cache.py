"""The cache of builds: what there is beside images of steps, and pruning it.

Spec: Engine API 1.50, BuildPrune and BuildCache.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.builder.cache_mounts import CacheFolder
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.units import parse_time, print_rfc3339

_TYPE = "exec.cachemount"
_DESCRIPTION = "cached mount"
_FILTERS = frozenset("description id inuse label label! parent private shared type until".split())


@dataclass(frozen=True, slots=True)
class PruneLimits:
    """How much may stay; bytes, and 0 for no limit of this kind.

    `reserved` may stay in any case, more than `most` may not, and `free` is to be free on disk.
    """

    reserved: int = 0
    most: int = 0
    free: int = 0


async def list_build_cache(ctx: EngineContext) -> list[Json]:
    """Return the folders of cache mounts, in the API's words."""
    return [_view(folder) for folder in await in_thread(ctx.builds.caches.walk)]


def _view(folder: CacheFolder) -> Json:
    return {
        "ID": folder.name,
        "Type": _TYPE,
        "Description": _DESCRIPTION,
        "InUse": folder.is_in_use,
        "Shared": False,
        "Size": folder.size,
        "CreatedAt": print_rfc3339(folder.created_ns),
        "LastUsedAt": print_rfc3339(folder.used_ns),
        "UsageCount": 1,
    }


async def prune_build_cache(ctx: EngineContext, filters: Filters, limits: PruneLimits) -> Json:
    """Remove cache folders that no build uses, the ones unused for longest first.

    Images of steps are no part of this: they are pruned as images.

    Raises:
        InvalidInputError: a filter is unknown, or has a value that it cannot have.
        ConflictError: something is being pruned already.
        FaultError: the disk fails.
    """
    filters.refuse_unknown(_FILTERS)
    now = ctx.clock.now_ns()
    until = [parse_time(text, now_ns=now) for text in filters.get("until")]
    removed: list[str] = []
    reclaimed = 0
    with ctx.pruning.turn():
        folders = await in_thread(ctx.builds.caches.walk)
        total = sum(folder.size for folder in folders)
        for folder in folders:
            if folder.is_in_use or not _fits(folder, filters, until):
                continue
            if await in_thread(_may_stay, ctx, total - reclaimed, limits):
                break
            if await ctx.builds.caches.remove(folder.name):
                removed.append(folder.name)
                reclaimed += folder.size
    ctx.events.publish("builder", "prune", "", {"reclaimed": str(reclaimed)})
    return {"CachesDeleted": removed or None, "SpaceReclaimed": reclaimed}


def _may_stay(ctx: EngineContext, size: int, limits: PruneLimits) -> bool:
    if limits == PruneLimits():
        return False
    if limits.reserved and size <= limits.reserved:
        return True
    disk = os.statvfs(ctx.config.data_root)
    is_enough_free = disk.f_bavail * disk.f_frsize >= limits.free
    return (
        is_enough_free
        and bool(limits.most or limits.free)
        and (not limits.most or size <= limits.most)
    )


def _fits(folder: CacheFolder, filters: Filters, until: list[int]) -> bool:
    if any(filters.get(name) for name in ("inuse", "label", "parent", "shared")):
        # What is left to prune is none of these. Folders have no labels; `system prune` asks.
        return False
    return (
        filters.matches_prefix("id", folder.name)
        and filters.matches("type", _TYPE)
        and filters.matches("description", _DESCRIPTION)
        and all(folder.used_ns < moment for moment in until)
    )
