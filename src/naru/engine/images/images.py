"""Images come, go out and are named: what `naru.images` does, with events."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from naru.aio import in_thread, pieces_of_thread
from naru.distribution.auth import RegistryAuth
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.engine.progress import Report, records_of
from naru.engine.system import ENGINE_VERSION
from naru.errors import InvalidInputError, NotFoundError
from naru.images.catalog import check_tag_target
from naru.images.load import load
from naru.images.pull import pull
from naru.images.save import choose_images, save
from naru.images.tarball_import import import_image, url_chunks
from naru.oci.platform import Platform, parse_platform
from naru.oci.reference import Reference


async def tag_image(ctx: EngineContext, name: str, repository: str, tag: str) -> None:
    """Give an image another name. Idempotent.

    Raises:
        NotFoundError: no such image.
        InvalidInputError: the new name is none.
    """
    image = ctx.images.catalog.resolve(name)
    target = Reference.parse(repository)
    check_tag_target(target)
    if tag:
        target = target.with_tag(tag)
    await in_thread(ctx.images.catalog.tag, image.id, target)
    publish_image_event(ctx, "tag", image.id, target.with_default_tag().familiar)


def publish_image_event(ctx: EngineContext, action: str, image_id: str, name: str) -> None:
    """Tell that something happened to an image, under the name by which it was meant."""
    image = ctx.images.catalog.get(image_id)
    labels = (image.config.config.labels or {}) if image else {}
    ctx.events.publish("image", action, image_id, {**labels, "name": name})


def load_images(
    ctx: EngineContext,
    chunks: AsyncIterator[bytes],
    *,
    quiet: bool,
    platform: Platform | None = None,
    keep: str = "",
) -> AsyncIterator[Json]:
    """Load the images of an archive and yield progress, then a line for each.

    Of an image for many platforms the one for `platform` is taken, by default this host's.
    `keep`: see `naru.images.load`.

    Raises, while it is read:
        InvalidInputError, CorruptDataError: the archive is none, or not what it says.
        NotFoundError: it has nothing for `platform`.
    """

    async def work(report: Report) -> None:
        names = await load(
            ctx.images, chunks, quiet=quiet, platform=platform, keep=keep, report=report
        )
        for name in names:
            # What was removed at once was loaded all the same.
            with contextlib.suppress(NotFoundError):
                image = ctx.images.catalog.resolve(name)
                publish_image_event(ctx, "load", image.id, name)

    return records_of(ctx.tasks, work, name="load")


async def save_images(
    ctx: EngineContext, names: list[str], *, platform: Platform | None
) -> AsyncIterator[bytes]:
    """Yield the archive of images, piece by piece.

    Raises, before the first piece:
        InvalidInputError: a name can name nothing.
        NotFoundError: no such image.
    """
    chosen = await in_thread(choose_images, ctx.images.catalog, names, platform)
    pieces = pieces_of_thread(lambda write: save(ctx.images, chosen, write))
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield piece
    for each in chosen:
        publish_image_event(ctx, "save", each.image.id, each.image.id)


def import_tarball(
    ctx: EngineContext,
    chunks: AsyncIterator[bytes],
    *,
    repository: str,
    tag: str,
    changes: list[str],
    message: str,
    platform: str,
    source: str = "-",
) -> AsyncIterator[Json]:
    """Make an image of one layer from a tar of a root file system, and yield its id.

    Raises, while it is read:
        InvalidInputError: a change or the name is malformed, or the tar is none.
    """

    async def work(report: Report) -> None:
        name = f"{repository}:{tag}" if repository and tag else repository
        reference = Reference.parse(name).with_default_tag() if name else None
        image_id = await import_image(
            ctx.images,
            chunks,
            reference=reference,
            changes=changes,
            message=message,
            platform=parse_platform(platform) if platform else None,
            source=source,
            docker_version=ENGINE_VERSION,
        )
        report({"status": image_id})
        publish_image_event(ctx, "import", image_id, reference.familiar if reference else image_id)

    return records_of(ctx.tasks, work, name="import")


def fetch_url(ctx: EngineContext, url: str) -> AsyncIterator[bytes]:
    """Yield the body of a URL, for `import_tarball`.

    Raises, while it is read:
        InvalidInputError: `url` is none that we fetch.
        FaultError, UnavailableError: the server says no, or nothing.
    """
    return url_chunks(ctx.images, url)


def pull_image(
    ctx: EngineContext,
    *,
    from_image: str,
    tag: str,
    platform: str,
    auth: RegistryAuth | None,
) -> AsyncIterator[Json]:
    """Pull an image and yield progress as Docker streams it.

    Raises, while it is read:
        InvalidInputError: the name is none.
        NotFoundError: the registry does not have it, or does not show it.
        UnauthenticatedError, UnavailableError: the registry refuses or does not answer.
    """
    reference = pull_reference(from_image, tag)

    async def work(report: Report) -> None:
        image = await pull(
            ctx.images,
            reference,
            platform=parse_platform(platform) if platform else None,
            auth=auth,
            # A name alone means all of its tags; clients that want one say `latest`.
            all_tags=reference.is_name_only,
            report=report,
        )
        publish_image_event(ctx, "pull", image.id, reference.familiar)

    return records_of(ctx.tasks, work, name=f"pull {reference.familiar}")


def pull_reference(from_image: str, tag: str) -> Reference:
    """Return what `fromImage` and `tag` mean together; the tag may be a digest.

    Raises:
        InvalidInputError: they name nothing.
    """
    if not from_image:
        raise InvalidInputError("invalid reference format")
    if not tag:
        return Reference.parse(from_image)
    separator = "@" if ":" in tag else ":"
    name = from_image if not Reference.parse(from_image).tag else from_image.rpartition(":")[0]
    return Reference.parse(f"{name}{separator}{tag}")
