"""What `--from` and `from=` name: a stage of this build, by name or number, or else an image."""

from __future__ import annotations

from naru.builder.build import Build, StageState
from naru.errors import InvalidInputError, NaruError
from naru.images.catalog import Image


async def find_origin(build: Build, stage: StageState, name: str) -> Image | None:
    """Return the image that files are taken from; None is a stage that is still empty.

    Raises:
        InvalidInputError: there is no such stage, or the image cannot be had; it says why.
    """
    try:
        place = build.plan.find(name, stage.index)
        if place is None and name.isascii() and name.isdigit():
            place = int(name)
            if place == stage.index:
                raise InvalidInputError("refers to current build stage")
            if place > stage.index:
                raise InvalidInputError("index out of bounds")
        if place is not None:
            return (await build.result_of(place)).image
        return await build.find_image(name, build.request.platform)
    except NaruError as error:
        raise InvalidInputError(f"invalid from flag value {name}: {error.message}") from error
