"""Images go: `rmi`, by name, and `image prune`, whatever nobody needs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from naru.aio import in_thread
from naru.api.filters import Filters, go_list
from naru.engine.context import EngineContext
from naru.engine.images.images import publish_image_event
from naru.engine.model import Json
from naru.engine.pruning import FILTERS, has_pruned_labels, until_ns
from naru.errors import InvalidInputError
from naru.images.catalog import Image
from naru.images.prune import PruneRule, layer_sizes
from naru.images.removal import ImageUser, is_id_of
from naru.oci.platform import Platform
from naru.oci.reference_pattern import check_pattern

_PRUNE_FILTERS = FILTERS | {"dangling", "keep", "reference", "reference!"}
_COUNT = re.compile(r"[1-9][0-9]{0,8}")


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
    image = ctx.images.catalog.resolve(name, platform)
    known = {row.image_id for row in ctx.images.rows.all()}
    records = await in_thread(
        ctx.images.catalog.remove, name, force=force, prune=not noprune, users=_users(ctx)
    )
    # Told of is the name that was given, not the digests that go with it; by id, all names are.
    count = len(records) if is_id_of(image.id, name) else 1
    _tell_of_untagging(ctx, image.id, records[:count], _labels(image))
    _tell_of_deletions(ctx, records, known)
    return list(records)


async def prune_images(ctx: EngineContext, filters: Filters) -> Json:
    """Remove images that nobody needs: dangling ones, or with `dangling=false` all unused ones.

    When this returns their space is free, and so is that of images that were removed before.

    Raises:
        InvalidInputError: a filter is unknown or has a value that it cannot have.
        ConflictError: something is being pruned already.
    """
    filters.refuse_unknown(_PRUNE_FILTERS)
    rule = _prune_rule(filters, ctx.clock.now_ns())
    with ctx.pruning.turn():
        images = {image.id: image for image in await in_thread(ctx.images.catalog.images)}
        sizes = layer_sizes(images.values())
        used = {container.record.image_id for container in ctx.registry}
        unused = await in_thread(rule.unused, list(images.values()), used)
        done = await in_thread(
            ctx.images.catalog.remove_unused,
            [(each.image_id, each.names) for each in unused],
            users=_users(ctx),
        )
        # What comes last are layers, which nobody is told of.
        for each, gone in zip(unused, done[:-1], strict=True):
            _tell_of_untagging(ctx, each.image_id, gone, _labels(images[each.image_id]))
            _tell_of_deletions(ctx, gone, images)
        records = [record for gone in done for record in gone]
        reclaimed = sum(sizes.get(record.get("Deleted", ""), 0) for record in records)
        ctx.events.publish("image", "prune", "", {"reclaimed": str(reclaimed)})
    # Who prunes wants the space. Listeners need not wait for that: the images are gone already.
    await in_thread(ctx.images.garbage.settle)
    return {"ImagesDeleted": records or None, "SpaceReclaimed": reclaimed}


def _prune_rule(filters: Filters, now_ns: int) -> PruneRule:
    until = until_ns(filters, now_ns)

    def fits(image: Image) -> bool:
        created = image.created_ns
        is_old = until is None or (created is not None and created <= until)
        return is_old and has_pruned_labels(filters, _labels(image))

    only_dangling = filters.is_true("dangling", default=True)
    for pattern in (*filters.get("reference"), *filters.get("reference!")):
        check_pattern(pattern)
    return PruneRule(
        only_dangling=only_dangling,
        fits=fits,
        patterns=filters.get("reference") if filters.has("reference") else None,
        spared=filters.get("reference!"),
        keep=_kept_tags(filters, only_dangling=only_dangling),
    )


def _kept_tags(filters: Filters, *, only_dangling: bool) -> int:
    """Return how many tags of each repository stay, 0 where nobody says."""
    if not filters.has("keep"):
        return 0
    values = filters.get("keep")
    if len(values) != 1 or not _COUNT.fullmatch(values[0]):
        raise InvalidInputError(
            f"invalid filter 'keep={go_list(values)}': it takes one whole number from 1, "
            "how many tags of each repository stay"
        )
    if only_dangling:
        raise InvalidInputError(
            f"invalid filter 'keep={go_list(values)}': it needs dangling=false, since without "
            "that no tags are removed"
        )
    return int(values[0])


def _labels(image: Image) -> dict[str, str]:
    return dict(image.config.config.labels or {})


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


def _tell_of_untagging(
    ctx: EngineContext, image_id: str, records: Iterable[dict[str, str]], labels: dict[str, str]
) -> None:
    """Publish that an image lost names; it may be gone itself, so its labels are handed in."""
    for record in records:
        if "Untagged" in record:
            ctx.events.publish("image", "untag", image_id, {**labels, "name": image_id})


def _tell_of_deletions(
    ctx: EngineContext, records: Iterable[dict[str, str]], known: Iterable[str]
) -> None:
    """Publish what became of images; layers are deleted without a word."""
    images = set(known)
    for record in records:
        if record.get("Deleted", "") in images:
            publish_image_event(ctx, "delete", record["Deleted"], record["Deleted"])
