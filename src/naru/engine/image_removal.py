"""Images go: `rmi`, by name, and `image prune`, whatever nobody needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.engine.context import EngineContext
from naru.engine.images import publish_image_event
from naru.engine.model import Json
from naru.engine.pruning import FILTERS, has_pruned_labels, until_ns
from naru.images import views
from naru.images.catalog import Image
from naru.images.prune import layer_sizes, unused_images
from naru.images.removal import ImageUser
from naru.oci.platform import Platform

_PRUNE_FILTERS = FILTERS | {"dangling"}


async def remove_image(
    ctx: EngineContext,
    name: str,
    *,
    force: bool,
    noprune: bool,
    platform: Platform | None = None,
) -> list[Json]:
    """Untag an image, and delete it with its last name.

    Raises:
        NotFoundError: no such image, or it is for another `platform`.
        ConflictError: containers, images or other names need it.
    """
    image_id = ctx.images.catalog.resolve(name, platform).id
    known = {row.image_id for row in ctx.images.rows.all()}
    records = await in_thread(
        ctx.images.catalog.remove, name, force=force, prune=not noprune, users=_users(ctx)
    )
    for record in records:
        if "Untagged" in record:
            publish_image_event(ctx, "untag", image_id, image_id)
    _tell_of_deletions(ctx, records, known)
    return list(records)


async def prune_images(ctx: EngineContext, filters: Filters) -> Json:
    """Remove images that nobody needs: dangling ones, or with `dangling=false` all unused ones.

    Raises:
        InvalidInputError: a filter is unknown or has a value that it cannot have.
        ConflictError: something is being pruned already.
    """
    filters.refuse_unknown(_PRUNE_FILTERS)
    only_dangling = filters.is_true("dangling", default=True)
    fits = _pruned_as_asked(filters, ctx.clock.now_ns())
    with ctx.pruning.turn():
        images = await in_thread(ctx.images.catalog.images)
        sizes = layer_sizes(images)
        used = {container.record.image_id for container in ctx.registry}
        unused = unused_images(images, only_dangling=only_dangling, used=used, fits=fits)
        records = await in_thread(ctx.images.catalog.remove_unused, unused, users=_users(ctx))
        ids = {image.id for image in images}
        _tell_of_deletions(ctx, records, ids)
        reclaimed = sum(sizes.get(record.get("Deleted", ""), 0) for record in records)
        ctx.events.publish("image", "prune", "", {"reclaimed": str(reclaimed)})
    return {"ImagesDeleted": records or None, "SpaceReclaimed": reclaimed}


def _pruned_as_asked(filters: Filters, now_ns: int) -> Callable[[Image], bool]:
    until = until_ns(filters, now_ns)

    def fits(image: Image) -> bool:
        is_old = until is None or views.created_seconds(image.created) <= until // 10**9
        return is_old and has_pruned_labels(filters, image.config.config.labels or {})

    return fits


def _users(ctx: EngineContext) -> Callable[[str], list[ImageUser]]:
    def users(image_id: str) -> list[ImageUser]:
        return [
            ImageUser(container.id, container.is_running)
            for container in ctx.registry
            if container.record.image_id == image_id
        ] + [
            ImageUser(build.rpartition("-")[2], is_running=True, kind="build")
            for build in ctx.builds.running.users_of(image_id)
        ]

    return users


def _tell_of_deletions(
    ctx: EngineContext, records: Iterable[dict[str, str]], known: Iterable[str]
) -> None:
    """Publish what became of images; layers are deleted without a word."""
    images = set(known)
    for record in records:
        if record.get("Deleted", "") in images:
            publish_image_event(ctx, "delete", record["Deleted"], record["Deleted"])
