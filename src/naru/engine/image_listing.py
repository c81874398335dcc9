"""Looking at images: list, inspect, history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from fnmatch import fnmatchcase

from naru.api.filters import Filters
from naru.api.version import ApiVersion
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.images import views
from naru.images.catalog import Image
from naru.images.history import history
from naru.oci.platform import Platform
from naru.oci.reference import Reference
from naru.units import parse_time

_FILTERS = frozenset("before dangling label reference since until".split())


async def list_images(
    ctx: EngineContext,
    *,
    all: bool,
    filters: Filters,
    shared_size: bool,
    api_version: ApiVersion,
    counts_containers: bool = False,
) -> list[Json]:
    """Return the images that fit, youngest first; parents without a name only with `all`.

    Raises:
        InvalidInputError: a filter is unknown or has a value that it cannot have.
        NotFoundError: `before` or `since` names no image.
    """
    filters.refuse_unknown(_FILTERS)
    images = ctx.images.catalog.images()
    shared = views.shared_sizes(images) if shared_size else {}
    parents = {image.parent_id for image in images}
    users = Counter(container.record.image_id for container in ctx.registry)
    return [
        views.list_entry(
            image,
            api_version=api_version,
            shared_size=shared.get(image.id, -1),
            containers=users[image.id] if counts_containers else -1,
        )
        for image in _filtered(ctx, images, filters)
        if all or image.repo_tags or image.repo_digests or image.id not in parents
    ]


def _filtered(ctx: EngineContext, images: list[Image], filters: Filters) -> Iterable[Image]:
    catalog = ctx.images.catalog
    before = [_created(catalog.resolve(name)) for name in filters.get("before")]
    since = [_created(catalog.resolve(name)) for name in filters.get("since")]
    now = ctx.clock.now_ns()
    until = [parse_time(text, now_ns=now) // 10**9 for text in filters.get("until")]
    for image in images:
        created = _created(image)
        if (
            all(created < moment for moment in (*before, *until))
            and all(created > moment for moment in since)
            and filters.matches_labels("label", image.config.config.labels or {})
            and _is_dangling_as_asked(image, filters)
            and _is_referenced_as_asked(image, filters)
        ):
            yield image


def _created(image: Image) -> int:
    return views.created_seconds(image.created)


def _is_dangling_as_asked(image: Image, filters: Filters) -> bool:
    if "dangling" not in filters:
        return True
    return filters.is_true("dangling") == (not image.repo_tags)


def _is_referenced_as_asked(image: Image, filters: Filters) -> bool:
    patterns = filters.get("reference")
    if not patterns:
        return True
    return any(
        _matches(reference, pattern)
        for reference in map(Reference.parse, (*image.repo_tags, *image.repo_digests))
        for pattern in patterns
    )


def _matches(reference: Reference, pattern: str) -> bool:
    """Match a familiar name, with or without its tag, part by part: `*` never crosses a slash.

    Spec: distribution/reference, FamiliarMatch; Go's path.Match.
    """
    wanted = pattern.split("/")
    return any(
        len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
        for parts in (reference.familiar.split("/"), reference.familiar_name.split("/"))
    )


async def inspect_image(
    ctx: EngineContext, name: str, api_version: ApiVersion, *, platform: Platform | None = None
) -> Json:
    """Return all that is known of an image.

    Raises:
        NotFoundError: no such image, or it is for another `platform`.
    """
    image = ctx.images.catalog.resolve(name, platform)
    driver = {"Name": ctx.config.storage_driver, "Data": None}
    return views.inspect_answer(image, api_version=api_version, graph_driver=driver)


async def history_image(
    ctx: EngineContext, name: str, *, platform: Platform | None = None
) -> list[Json]:
    """Return the steps that made an image, newest first.

    Raises:
        NotFoundError: no such image, or it is for another `platform`.
    """
    return history(ctx.images.catalog, ctx.images.catalog.resolve(name, platform))
