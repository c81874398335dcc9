"""The containers of builds: how the engine runs steps, and what it does with those left over."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import msgspec

from naru.aio import in_thread, uncancelled
from naru.api.container_config import ContainerConfig
from naru.api.host_config import HostConfig, LogConfig
from naru.builder.step_runner import Output, Report, StepContainer
from naru.distribution.auth import RegistryAuth
from naru.engine.containers.create import create_container
from naru.engine.containers.remove import remove_container
from naru.engine.containers.start import start_container
from naru.engine.context import EngineContext
from naru.engine.images.images import publish_image_event
from naru.engine.live.attachments import STDERR, STDOUT, AttachStreams
from naru.errors import NaruError, NotFoundError
from naru.images.catalog import Image
from naru.images.pull import pull
from naru.oci.platform import Platform
from naru.oci.reference import Reference

_log = logging.getLogger(__name__)


class EngineStepRunner:
    """Runs steps of builds in containers of this engine. Implements `builder.StepRunner`."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx

    async def create(self, container: StepContainer) -> tuple[str, Sequence[str]]:
        config = msgspec.convert(msgspec.to_builtins(container.config), ContainerConfig)
        config.image = container.image_id
        config.attach_stdout = config.attach_stderr = True
        # Creating fills in what is left open; the next step starts afresh.
        host = msgspec.convert(msgspec.to_builtins(container.host), HostConfig)
        # The output is in the build's own, and nobody looks for it elsewhere.
        host.log_config = LogConfig(type="none")
        return await create_container(
            self._ctx,
            name="",
            config=config,
            host_config=host,
            networking_config=None,
            is_build_step=True,
        )

    async def run(self, container_id: str, output: Output) -> int:
        ctx = self._ctx
        streams = AttachStreams(tty=False, stdin=False, outputs=frozenset({STDOUT, STDERR}))
        ctx.attachments.wait_for_start(container_id, streams)
        ended = ctx.waiters.exit(container_id)
        try:
            await start_container(ctx, container_id)
            while (piece := await streams.read()) is not None:
                output(*piece)
            return await ended
        finally:
            ended.cancel()
            await streams.close()

    async def remove(self, container_id: str) -> None:
        try:
            work = remove_container(self._ctx, container_id, force=True, volumes=True)
            await uncancelled(work)
        except NotFoundError:
            # Its user was faster.
            return

    async def keep(self, container_id: str) -> None:
        container = self._ctx.registry.get(container_id)
        if container is not None:
            record = msgspec.structs.replace(container.record, is_build_step=False)
            self._ctx.registry.save_record(container, record)

    async def pull(
        self,
        reference: Reference,
        platform: Platform | None,
        auth: RegistryAuth | None,
        report: Report,
    ) -> Image:
        image = await pull(self._ctx.images, reference, platform=platform, auth=auth, report=report)
        publish_image_event(self._ctx, "pull", image.id, reference.familiar)
        return image


async def sweep_builds(ctx: EngineContext) -> None:
    """Remove what builds of an earlier engine left: containers of steps, and contexts. Idempotent.

    Called once, after containers were reconciled and before requests are served.
    """
    runner = EngineStepRunner(ctx)
    for container in ctx.registry:
        if container.record.is_build_step:
            try:
                await runner.remove(container.id)
            except NaruError:
                _log.exception("container %s of a build is left", container.short_id)
    await in_thread(ctx.builds.workshop.clear)
