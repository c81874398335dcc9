"""Images to registries: what `naru.images.push` does, as a use-case with an event."""

from __future__ import annotations

from collections.abc import AsyncIterator

from naru.distribution.auth import RegistryAuth
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.engine.progress import Report, records_of
from naru.errors import InvalidInputError, NotFoundError
from naru.images.push import push
from naru.oci.platform import Platform
from naru.oci.reference import Reference


def push_image(
    ctx: EngineContext,
    name: str,
    *,
    tag: str,
    platform: Platform | None,
    auth: RegistryAuth | None,
) -> AsyncIterator[Json]:
    """Push an image and yield progress as Docker streams it.

    A name without a tag means all of its tags. Of an image only that for one platform is here;
    `platform` makes sure that it is this one.

    Raises, before the first record:
        InvalidInputError: name and tag name nothing.
        NotFoundError: the image is not for `platform`.

    Raises, while it is read:
        NaruError: as `naru.images.push.push`.
    """
    reference = push_reference(name, tag)

    async def work(report: Report) -> None:
        if platform is not None:
            ctx.images.catalog.resolve(reference.canonical, platform)
        await push(
            ctx.images,
            reference,
            auth=auth,
            is_platform_chosen=platform is not None,
            report=report,
        )
        _publish(ctx, reference)

    return records_of(ctx.tasks, work, name=f"push {reference.familiar}")


def push_reference(name: str, tag: str) -> Reference:
    """Return what a push is about: a tag beside the name counts more than one in it.

    Raises:
        InvalidInputError: they name nothing.
    """
    reference = Reference.parse(name)
    if not tag:
        return reference
    if reference.digest:
        raise InvalidInputError("cannot push a digest reference")
    return reference.with_tag(tag)


def _publish(ctx: EngineContext, reference: Reference) -> None:
    """Tell of a push, as Docker does: by names, and of no image in particular.

    Spec: moby, distribution/push.go, ImageEventLogger.
    """
    labels = {}
    try:
        labels = ctx.images.catalog.resolve(reference.canonical).config.config.labels or {}
    except NotFoundError:
        # Removed meanwhile, or one of many names.
        labels = {}
    attributes = {**labels, "name": reference.familiar_name}
    ctx.events.publish("image", "push", reference.familiar, attributes)
