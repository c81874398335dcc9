"""Looking at images: list, inspect, history."""

from __future__ import annotations

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.api.version import ApiVersion
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.engine.pruning import until_moments
from naru.engine.views.graph_driver import image_graph_driver
from naru.images import manifest_views, views
from naru.images.history import history
from naru.images.selection import FILTERS, Selection
from naru.oci.platform import Platform
from naru.oci.reference_pattern import check_pattern

# The first versions with the descriptor of an image, and with its manifests in a list.
_DESCRIPTORS: ApiVersion = (1, 48)
_MANIFESTS: ApiVersion = (1, 47)


async def list_images(
    ctx: EngineContext,
    *,
    all: bool,
    filters: Filters,
    shared_size: bool,
    api_version: ApiVersion,
    counts_containers: bool = False,
    manifests: bool = False,
) -> list[Json]:
    """Return the images that fit, youngest first; parents without a name only with `all`.

    Raises:
        InvalidInputError: a filter is unknown or has a value that it cannot have.
        NotFoundError: `before` or `since` names no image.
    """
    filters.refuse_unknown(FILTERS)
    users: dict[str, list[str]] = {}
    for container in ctx.registry:
        users.setdefault(container.record.image_id, []).append(container.id)

    def entries() -> list[Json]:
        chosen = _selection(ctx, filters, all=all)
        images = ctx.images.catalog.images()
        shared = views.shared_sizes(images) if shared_size else {}
        found = []
        for image in chosen.of(images):
            entry = views.list_entry(
                image,
                api_version=api_version,
                shared_size=shared.get(image.id, -1),
                containers=len(users.get(image.id, ())) if counts_containers else -1,
            )
            if api_version >= _DESCRIPTORS:
                entry |= manifest_views.descriptor(ctx.images.catalog, image)
            if manifests and api_version >= _MANIFESTS:
                entry |= manifest_views.manifests(
                    ctx.images.catalog, ctx.images.content, image, users
                )
            found.append(entry)
        return found

    return await in_thread(entries)


def _selection(ctx: EngineContext, filters: Filters, *, all: bool) -> Selection:
    for pattern in filters.get("reference"):
        check_pattern(pattern)

    def made(name: str) -> list[int]:
        found = [ctx.images.catalog.resolve(text).created_ns for text in filters.get(name)]
        # An image that does not say when it was made is no border.
        return [moment for moment in found if moment is not None]

    return Selection(
        all=all,
        before=[*made("before"), *until_moments(filters, ctx.clock.now_ns())],
        since=made("since"),
        patterns=filters.get("reference") if filters.has("reference") else None,
        is_dangling=filters.choice("dangling"),
        labels=filters,
    )


async def inspect_image(
    ctx: EngineContext,
    name: str,
    api_version: ApiVersion,
    *,
    platform: Platform | None = None,
    manifests: bool = False,
) -> Json:
    """Return all that is known of an image; with `manifests` also what its name stands for.

    Raises:
        NotFoundError: no such image, or it is for another `platform`.
    """
    users: dict[str, list[str]] = {}
    for container in ctx.registry:
        users.setdefault(container.record.image_id, []).append(container.id)

    def answer() -> Json:
        image = ctx.images.catalog.resolve(name, platform)
        shown = views.inspect_answer(
            image, api_version=api_version, graph_driver=image_graph_driver(ctx, image.chain_id)
        )
        if api_version >= _DESCRIPTORS:
            shown |= manifest_views.descriptor(ctx.images.catalog, image)
            if manifests:
                shown |= manifest_views.manifests(
                    ctx.images.catalog, ctx.images.content, image, users
                )
        return shown

    return await in_thread(answer)


async def history_image(
    ctx: EngineContext, name: str, *, platform: Platform | None = None
) -> list[Json]:
    """Return the steps that made an image, newest first.

    Raises:
        NotFoundError: no such image, or it is for another `platform`.
    """
    catalog = ctx.images.catalog
    return await in_thread(lambda: history(catalog, catalog.resolve(name, platform)))
