"""`system df`: what images, containers, volumes and the cache of builds take.

Sizes of layers are known since they were unpacked; only what containers and volumes hold is
walked anew. One request walks at a time, whoever asks meanwhile waits for the disk anyway.

Spec: Engine API 1.50, SystemDataUsage.
"""

from __future__ import annotations

import logging
from collections.abc import Collection

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.api.version import ApiVersion
from naru.engine.builds.cache import list_build_cache
from naru.engine.containers.listing import list_containers
from naru.engine.context import EngineContext
from naru.engine.images.listing import list_images
from naru.engine.model import Json
from naru.engine.volumes import volume_users, volume_view
from naru.errors import InvalidInputError, NaruError
from naru.images.prune import layer_sizes
from naru.volumes.model import LOCAL

_log = logging.getLogger(__name__)
_KINDS = ("container", "image", "volume", "build-cache")
_LOCK = "disk usage"
# What the API says of a size that cannot be told.
_UNKNOWN = -1


async def disk_usage(ctx: EngineContext, kinds: Collection[str], api_version: ApiVersion) -> Json:
    """Return what the kinds asked for take, all of them if none is; sizes in bytes.

    Raises:
        InvalidInputError: there is no such kind.
    """
    for kind in kinds:
        if kind not in _KINDS:
            raise InvalidInputError(f"unknown object type: {kind}")
    wanted = set(kinds or _KINDS)
    answer: Json = {
        "LayersSize": 0,
        "Images": None,
        "Containers": None,
        "Volumes": None,
        "BuildCache": None,
    }
    async with ctx.locks.hold(_LOCK):
        if "image" in wanted:
            answer["LayersSize"] = await in_thread(_layers_size, ctx)
            answer["Images"] = await list_images(
                ctx,
                all=False,
                filters=Filters(),
                shared_size=True,
                api_version=api_version,
                counts_containers=True,
            )
        if "container" in wanted:
            answer["Containers"] = await list_containers(
                ctx, all=True, limit=0, size=True, filters=Filters(), api_version=api_version
            )
        if "volume" in wanted:
            answer["Volumes"] = await in_thread(_volumes, ctx, volume_users(ctx))
        if "build-cache" in wanted:
            answer["BuildCache"] = await list_build_cache(ctx)
    if api_version < (1, 42):
        cache = answer["BuildCache"] or ()
        answer["BuilderSize"] = sum(entry["Size"] for entry in cache if not entry["Shared"])
    return answer


def _layers_size(ctx: EngineContext) -> int:
    return sum(layer_sizes(ctx.images.catalog.images()).values())


def _volumes(ctx: EngineContext, users: dict[str, list[str]]) -> list[Json]:
    views = []
    for volume in ctx.volumes.list():
        if volume.driver != LOCAL:
            continue
        try:
            size = ctx.volumes.usage(volume.name)
        except NaruError as error:
            _log.warning("the size of volume %s is not known: %s", volume.name, error)
            size = _UNKNOWN
        usage = {"Size": size, "RefCount": len(users.get(volume.name, ()))}
        views.append({**volume_view(volume), "UsageData": usage})
    return views
