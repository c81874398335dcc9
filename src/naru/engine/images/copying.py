"""What `image copy` asks of an engine: what is missing here, and images as they are stored."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence

from naru.aio import in_thread, pieces_of_thread
from naru.api.image_content import ImageContent, MissingAnswer, MissingRequest
from naru.engine.context import EngineContext
from naru.engine.images.images import publish_image_event
from naru.images.archives.at_hand import missing_blobs, missing_layers
from naru.images.verbatim import write_layers
from naru.oci.digest import DiffId, is_digest, parse_digest
from naru.oci.platform import Platform
from naru.oci.reference import Reference


async def missing_content(ctx: EngineContext, asked: MissingRequest) -> MissingAnswer:
    """Return what of some blobs, and of the layers of an image, is not here.

    What is here may go before it is used: a load that needs it says so.

    Raises:
        InvalidInputError: there are no such digests.
    """
    blobs = [parse_digest(text) for text in asked.blobs]
    diff_ids = [DiffId(parse_digest(text)) for text in asked.diff_ids]
    return MissingAnswer(
        blobs=list(await in_thread(missing_blobs, ctx.images, blobs)),
        diff_ids=list(await in_thread(missing_layers, ctx.images, diff_ids)),
    )


async def image_content(
    ctx: EngineContext, name: str, *, platform: Platform | None
) -> ImageContent:
    """Return the documents of an image.

    Raises:
        InvalidInputError: this can name nothing.
        NotFoundError: no such image, or it is for another `platform`.
        CorruptDataError: it is damaged.
    """
    image = ctx.images.catalog.resolve(name, platform)
    manifest = await in_thread(ctx.images.catalog.manifest, image)
    return ImageContent(
        id=image.id,
        name=_tag_meant(name, image.repo_tags),
        manifest=manifest.raw,
        manifest_type=manifest.media_type,
        config=image.config.raw,
    )


def _tag_meant(name: str, tags: Sequence[str]) -> str:
    if is_digest(name) or is_digest(f"sha256:{name}"):
        return ""
    tag = Reference.parse(name).with_default_tag().familiar
    return tag if tag in tags else ""


async def image_layers(
    ctx: EngineContext, name: str, digests: Sequence[str]
) -> AsyncIterator[bytes]:
    """Yield layers of an image as they are stored, one after the other, in this order.

    Raises, before the first piece:
        InvalidInputError: the image has no such layer.
        NotFoundError: no such image.
        CorruptDataError: it is damaged.
    """
    image = ctx.images.catalog.resolve(name)
    wanted = [parse_digest(text) for text in digests]
    pieces = pieces_of_thread(lambda write: write_layers(ctx.images, image, wanted, write))
    async with contextlib.aclosing(pieces):
        async for piece in pieces:
            yield piece
    publish_image_event(ctx, "save", image.id, image.id)
