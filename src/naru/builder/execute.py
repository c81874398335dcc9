"""From a request to an image: the Dockerfile read, its stages planned, their steps done in turn."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from naru.aio import in_thread, uncancelled
from naru.builder.build import Build, StageState
from naru.builder.build_args import BuildArguments, platform_arguments
from naru.builder.context import drop_ignored, read_dockerfile
from naru.builder.plan import plan_build
from naru.builder.progress import Progress
from naru.builder.remote import receive
from naru.builder.request import BuildRequest
from naru.builder.services import BuildServices
from naru.builder.step_runner import StepRunner
from naru.builder.steps.copy import copy_step
from naru.builder.steps.metadata import metadata_step, workdir_step
from naru.builder.steps.run import run_step
from naru.dockerfile.config_change import substituted
from naru.dockerfile.expand import expand
from naru.dockerfile.instructions import Copy, Dockerfile, From, Instruction, Run, Workdir
from naru.dockerfile.parser import parse_dockerfile, parse_instructions
from naru.errors import FaultError, InvalidInputError
from naru.images.catalog import Image
from naru.oci.platform import host_platform, parse_platform

OWNER = "builder.build"
_SCRATCH = "scratch"


async def build_image(
    services: BuildServices,
    runner: StepRunner,
    request: BuildRequest,
    chunks: AsyncIterator[bytes],
    progress: Progress,
) -> Image:
    """Build an image and return it; it has no name yet. `chunks` are the context, as sent.

    What is wrong with the Dockerfile is told before the first step. Whatever happens, nothing of
    the context is left; containers of steps are left as the request has it, but none by a build
    that is cancelled. Images of steps that went well stay: they are the cache.

    Raises:
        InvalidInputError: the request, the context or the Dockerfile is no good.
        StepFailedError: a command of the Dockerfile failed.
        NaruError: an image cannot be had, or the disk is full.
    """
    with services.images.lease(OWNER) as lease_id, contextlib.ExitStack() as stack:
        stack.callback(services.running.release, lease_id)
        async with _folder(services) as folder:
            build = Build(services, runner, request, progress, lease_id, _build_stage)
            build.folder = folder
            text, name = await _read(services, request, chunks, folder, build)
            dockerfile = parse_dockerfile(text, name)
            _plan(build, dockerfile)
            try:
                return await _build(build, dockerfile)
            except BaseException:
                await uncancelled(build.abandon_containers())
                raise


@contextlib.asynccontextmanager
async def _folder(services: BuildServices) -> AsyncIterator[Path]:
    """Give a folder; a large context takes a while to remove."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(services.workshop.folder())
        try:
            yield folder
        finally:
            await uncancelled(in_thread(stack.close))


async def _read(
    services: BuildServices,
    request: BuildRequest,
    chunks: AsyncIterator[bytes],
    folder: Path,
    build: Build,
) -> tuple[str, str]:
    """Get the context, and return the text and the name of the Dockerfile."""
    context = folder / "context"
    context.mkdir()
    alone = await receive(services.images, request.remote, chunks, context)
    if alone is not None:
        return alone, "Dockerfile"
    build.context = context

    def read() -> tuple[str, str]:
        text, name = read_dockerfile(context, request.dockerfile)
        drop_ignored(context, name)
        return text, name

    return await in_thread(read)


def _plan(build: Build, dockerfile: Dockerfile) -> None:
    request = build.request
    build.escape = dockerfile.escape
    platforms = platform_arguments(build.default_platform(), host_platform())
    build.arguments = BuildArguments(request.arguments, platforms)
    for instruction in dockerfile.arguments:
        for name, default in instruction.entries:
            values = build.arguments.global_values()
            word = None if default is None else expand(default, values, dockerfile.escape)
            build.arguments.add_global(name, word)
    build.plan = plan_build(
        dockerfile,
        target=request.target,
        labels=request.labels,
        values=build.arguments.global_values(),
    )
    build.progress.step_count = build.plan.step_count


async def _build(build: Build, dockerfile: Dockerfile) -> Image:
    for warning in dockerfile.warnings:
        build.progress.warn(warning)
    for instruction in dockerfile.arguments:
        build.progress.step(instruction.text)
    result = None
    for place in build.plan.needed:
        result = await build.result_of(place)
    build.progress.unused(build.arguments.unused())
    if result is None or result.image is None:
        raise FaultError("No image was generated. Is your Dockerfile empty?")
    return result.image


async def _build_stage(build: Build, place: int) -> StageState:
    stage = build.plan.stages[place]
    build.progress.step(stage.start.text)
    state = StageState(place, build.default_platform())
    await _start(build, state, stage.start)
    build.progress.image(state.image_id)
    for instruction in stage.instructions:
        build.progress.step(instruction.text)
        await _take_step(build, state, instruction)
        build.progress.image(state.image_id)
    if state.image is not None:
        build.progress.result(state.image_id)
    return state


async def _start(build: Build, state: StageState, start: From) -> None:
    """Begin a stage from another one, from an image, or from nothing."""
    values = build.arguments.global_values()
    name = expand(start.image, values, build.escape)
    if not name:
        raise InvalidInputError(f"base name ({start.image}) should not be blank")
    platform = build.request.platform
    if start.platform:
        wanted = expand(start.platform, values, build.escape)
        platform = parse_platform(wanted)
        state.platform = platform
    place = build.plan.find(name, state.index)
    if place is not None:
        state.begin((await build.result_of(place)).image)
    elif name == _SCRATCH:
        state.begin(None)
    else:
        state.begin(await build.find_image(name, platform, pulls=build.request.pulls))
    if state.image is not None:
        state.platform = state.image.config.platform
    triggers = state.config.on_build or ()
    if triggers:
        state.config = msgspec.structs.replace(state.config, on_build=None)
        build.progress.triggers(len(triggers))
        for trigger in triggers:
            (instruction,) = parse_instructions(trigger)
            await _take_step(build, state, instruction)


async def _take_step(build: Build, state: StageState, instruction: Instruction) -> None:
    # What a container of this stage is made from, for those who inspect it.
    state.config = msgspec.structs.replace(state.config, image=state.image_id)
    try:
        instruction = substituted(instruction, build.variables(state), build.escape)
        await _dispatch(build, state, instruction)
    except Exception:
        await build.remove_containers(went_well=False)
        raise
    await build.remove_containers(went_well=True)


async def _dispatch(build: Build, state: StageState, instruction: Instruction) -> None:
    match instruction:
        case Run():
            await run_step(build, state, instruction)
        case Copy():
            await copy_step(build, state, instruction)
        case Workdir():
            await workdir_step(build, state, instruction)
        case _:
            await metadata_step(build, state, instruction)
