"""Build use-cases: images from Dockerfiles, told of as Docker's classic builder does."""

from __future__ import annotations

from collections.abc import AsyncIterator

from naru.aio import in_thread
from naru.builder.errors import StepFailedError
from naru.builder.execute import build_image as build
from naru.builder.progress import Progress
from naru.builder.request import BuildRequest
from naru.engine.builds.steps import EngineStepRunner
from naru.engine.context import EngineContext
from naru.engine.images.images import publish_image_event
from naru.engine.model import Json
from naru.engine.progress import Report, records_of
from naru.errors import InvalidInputError, NaruError
from naru.ids import short_id


def build_image(
    ctx: EngineContext, request: BuildRequest, chunks: AsyncIterator[bytes], *, build_id: str = ""
) -> AsyncIterator[Json]:
    """Build an image of a Dockerfile and its context, give it its names, and yield progress.

    A command that fails is told by the last record, with its exit code. A reader that goes away
    ends the build, and so does `cancel_build`.

    Raises, while it is read:
        InvalidInputError: the request, the context or the Dockerfile is no good.
        NaruError: whatever keeps a step from being done.
    """

    async def work(report: Report) -> None:
        await ctx.builds.running.run(build_id, _build(ctx, request, chunks, report))

    return records_of(ctx.tasks, work, name="build")


async def _build(
    ctx: EngineContext, request: BuildRequest, chunks: AsyncIterator[bytes], report: Report
) -> None:
    held: list[Json] = []
    progress = Progress(held.append if request.is_quiet else report)
    try:
        image = await build(ctx.builds, EngineStepRunner(ctx), request, chunks, progress)
    except NaruError as error:
        # Quiet is for what goes well.
        for record in held:
            report(record)
        if not isinstance(error, StepFailedError):
            raise
        detail = {"code": error.exit_code, "message": error.message}
        report({"errorDetail": detail, "error": error.message})
        return
    progress.say(f"Successfully built {short_id(image.id)}\n")
    for reference in request.tags:
        await in_thread(ctx.images.catalog.tag, image.id, reference)
        publish_image_event(ctx, "tag", image.id, reference.familiar)
        progress.say(f"Successfully tagged {reference.familiar}\n")
    if request.is_quiet:
        report({"stream": f"{image.id}\n"})


async def cancel_build(ctx: EngineContext, build_id: str) -> None:
    """Call off the build that was given this id. One that is over is off already.

    Raises:
        InvalidInputError: there is no id.
    """
    if not build_id:
        raise InvalidInputError("build ID not provided")
    ctx.builds.running.cancel(build_id)
