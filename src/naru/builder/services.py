"""The collaborators of this package in one frozen bundle."""

from __future__ import annotations

from dataclasses import dataclass

from naru.builder.cache_mounts import CacheMounts
from naru.builder.context import Workshop
from naru.builder.running import RunningBuilds
from naru.db.build_cache import BuildCacheRows
from naru.images.services import ImageServices


@dataclass(frozen=True, slots=True)
class BuildServices:
    """What every build is handed."""

    images: ImageServices
    cache: BuildCacheRows
    workshop: Workshop
    caches: CacheMounts
    running: RunningBuilds
