"""One build while it goes on: what its stages have come to, and the ways in which steps add to it.

A step looks itself up in the cache, changes something, and is committed: as an image, whose
parent is the image of the step before. Images of steps are what the cache is made of.
"""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from naru.aio import in_thread, uncancelled
from naru.api.host_config import HostConfig
from naru.builder.build_args import BuildArguments
from naru.builder.cache_key import cache_key
from naru.builder.cache_sources import CacheSources
from naru.builder.plan import BuildPlan
from naru.builder.progress import Progress
from naru.builder.request import BuildRequest
from naru.builder.services import BuildServices
from naru.builder.step_runner import StepContainer, StepRunner
from naru.distribution.auth import RegistryAuth
from naru.dockerfile.config_change import environment_of, shell_of
from naru.errors import FaultError, InvalidInputError, NaruError
from naru.faults import fault_point
from naru.ids import short_id
from naru.images.catalog import Image
from naru.images.commit import NewImage, commit_snapshot
from naru.images.layers.unpack import UNPACKING
from naru.linux import mount
from naru.oci.image_config import RunDefaults, chain_ids
from naru.oci.platform import Platform, host_platform
from naru.oci.reference import Reference

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_BEFORE_COMMIT = fault_point("builder.step.before_commit")
_AFTER_COMMIT = fault_point("builder.step.after_commit")


@dataclass(slots=True)
class StageState:
    """What a stage has come to. `image` is None as long as it is nothing but `FROM scratch`.

    `config` is that of the next image, `allowed` are the ARGs so far. `command_was_set` says
    whether CMD was used here, so that an ENTRYPOINT leaves it alone. Once one step was not in the
    cache, none is that follows.
    """

    index: int
    platform: Platform
    image: Image | None = None
    config: RunDefaults = field(default_factory=RunDefaults)
    author: str = ""
    allowed: dict[str, str | None] = field(default_factory=dict)
    command_was_set: bool = False
    misses_cache: bool = False

    @property
    def image_id(self) -> str:
        """Return the id of the image of the last step, or nothing."""
        return self.image.id if self.image else ""

    def environment(self) -> dict[str, str]:
        """Return the variables that the image sets."""
        return environment_of(self.config)

    def begin(self, image: Image | None) -> None:
        """Start from an image."""
        self.image = image
        self.config = image.config.config if image else RunDefaults()
        self.author = ""
        entries = self.config.env or ()
        if not any(entry.startswith("PATH=") for entry in entries):
            entries = (*entries, _PATH)
        self.config = msgspec.structs.replace(
            self.config,
            env=entries,
            open_stdin=False,
            stdin_once=False,
            image=self.image_id,
        )

    def comment_config(self, *comment: str) -> RunDefaults:
        """Return the config of a container that runs nothing, but says what the step does."""
        return msgspec.structs.replace(self.config, cmd=(*shell_of(self.config), *comment))


class Build:
    """One build. Lives on the loop; what blocks goes to threads."""

    def __init__(
        self,
        services: BuildServices,
        runner: StepRunner,
        request: BuildRequest,
        progress: Progress,
        lease_id: str,
        build_stage: Callable[[Build, int], Awaitable[StageState]],
    ) -> None:
        """Begin a build; `build_stage` builds one stage by its place in the plan."""
        self.services = services
        self.images = services.images
        self.runner = runner
        self.request = request
        self.progress = progress
        self.lease_id = lease_id
        self._build_stage = build_stage
        self.folder = Path()
        self.context: Path | None = None
        self.escape = "\\"
        self.plan = BuildPlan((), (), 0)
        self.arguments = BuildArguments({}, {})
        self._results: dict[int, StageState] = {}
        self._sources = CacheSources(services.images, request.cache_from)
        self._containers: list[str] = []

    async def result_of(self, place: int) -> StageState:
        """Return what a stage has come to, built now if it was not yet.

        That it was not planned happens: triggers of images name stages, too.
        """
        if place not in self._results:
            self._results[place] = await self._build_stage(self, place)
        return self._results[place]

    # -- images ----------------------------------------------------------------------------------

    async def find_image(
        self, name: str, platform: Platform | None, *, pulls: bool = False
    ) -> Image:
        """Return the image called `name`: one that is here, or else from its registry.

        Raises:
            InvalidInputError: this can name nothing.
            NotFoundError, UnauthenticatedError, FaultError: it cannot be had.
        """
        if not pulls:
            try:
                return self.hold(self.images.catalog.resolve(name, platform))
            except InvalidInputError:
                raise
            except NaruError:
                # Not here, or not for this platform: the registry may know better.
                pass
        reference = Reference.parse(name).with_default_tag()
        auth = self._login(reference.registry)
        image = await self.runner.pull(reference, platform, auth, self.progress.record)
        return self.hold(image)

    def _login(self, registry: str) -> RegistryAuth | None:
        """Return the user's login for a registry, or else the first for a mirror of it."""
        mirrors = self.images.http.hosts.mirrors_of(registry)
        logins = self.request.auths
        hosts = (registry, *(mirror.host for mirror in mirrors))
        return next((logins[host] for host in hosts if host in logins), None)

    def hold(self, image: Image) -> Image:
        """Keep an image, and what it is made of, until the build ends."""
        self.services.running.hold(self.lease_id, image.id)
        leases = self.images.leases
        leases.add(self.lease_id, "blob", image.id, image.manifest_digest)
        leases.add(self.lease_id, "snapshot", *chain_ids(image.layers))
        return image

    # -- the cache -------------------------------------------------------------------------------

    async def is_cached(
        self, stage: StageState, config: RunDefaults, *, inputs: Sequence[str] = ()
    ) -> bool:
        """Take a step's result from the cache, if it is there; say whether it was.

        `config` is that of the step's container. `inputs` are checksums that it does not tell.
        """
        if stage.misses_cache or not self.request.uses_cache:
            return False
        image = await in_thread(self._cached, stage, config, inputs)
        if image is None:
            stage.misses_cache = True
            return False
        stage.image = self.hold(image)
        self.progress.cached()
        return True

    def _cached(
        self, stage: StageState, config: RunDefaults, inputs: Sequence[str]
    ) -> Image | None:
        found = self.services.cache.find(self._key(stage, config, inputs))
        image = self.images.catalog.get(found) if found else None
        if self._sources.is_empty or (image is not None and self._sources.lead_to(image)):
            return image
        return self._sources.restored(stage.image, self._new(stage, config), self.lease_id)

    def _key(self, stage: StageState, config: RunDefaults, inputs: Sequence[str]) -> str:
        return cache_key(stage.image_id, config, stage.platform, author=stage.author, inputs=inputs)

    # -- committing ------------------------------------------------------------------------------

    async def commit(
        self,
        stage: StageState,
        config: RunDefaults,
        *,
        snapshot: str | None = None,
        container: str = "",
        inputs: Sequence[str] = (),
    ) -> None:
        """Make an image of what a step changed, and remember it.

        `config` is that of the step's container, which tells what was done; `snapshot` is the
        key of what it changed, if it changed any file.
        """
        await self.uncancelled_in_thread(
            lambda: self.commit_now(
                stage, config, snapshot=snapshot, container=container, inputs=inputs
            )
        )

    def commit_now(
        self,
        stage: StageState,
        config: RunDefaults,
        *,
        snapshot: str | None = None,
        container: str = "",
        inputs: Sequence[str] = (),
    ) -> None:
        """Do as `commit` does, in a thread that one is in already."""
        key = self._key(stage, config, inputs)
        _BEFORE_COMMIT()
        image_id = commit_snapshot(self.images, snapshot, self._new(stage, config, container))
        _AFTER_COMMIT()
        self.services.cache.put(key, image_id)
        image = self.images.catalog.get(image_id)
        if image is None:
            raise FaultError(f"image {short_id(image_id)} was removed while it was built on")
        stage.image = self.hold(image)

    @staticmethod
    async def uncancelled_in_thread(work: Callable[[], None]) -> None:
        """Run work that must not be left half done: an image that no cache knows of, say."""
        await uncancelled(in_thread(work))

    def _new(self, stage: StageState, config: RunDefaults, container: str = "") -> NewImage:
        hostname = short_id(container)
        return NewImage(
            parent=stage.image,
            config=msgspec.structs.replace(stage.config, image=stage.image_id),
            created_by=" ".join(config.cmd or ()),
            author=stage.author,
            platform=None if stage.image else stage.platform,
            container=container,
            container_config=msgspec.structs.replace(
                config, image=stage.image_id, hostname=hostname
            ),
        )

    @contextlib.contextmanager
    def open_snapshot(self, image: Image | None) -> Iterator[tuple[str, int]]:
        """Give the key and the open root of a writable snapshot of an image, or of nothing.

        For worker threads. It is gone after the block; what is in it can be committed before.
        """
        snapshots = self.images.snapshots
        key = f"{UNPACKING}{secrets.token_hex(8)}"
        self.images.leases.add(self.lease_id, "snapshot", key)
        mounts = snapshots.prepare(key, image.chain_id if image else None)
        try:
            with mount.detached(mounts) as root:
                yield key, root
        finally:
            snapshots.remove(key)

    # -- containers ------------------------------------------------------------------------------

    async def make_container(
        self, stage: StageState, config: RunDefaults, host: HostConfig | None = None
    ) -> str:
        """Make the container of a step and tell of it; return its id.

        `host` is what it gets of this machine, by default what the request says.
        """
        container = StepContainer(stage.image_id, config, host or self.request.host)
        container_id, warnings = await self.runner.create(container)
        self._containers.append(container_id)
        self.progress.running(container_id, warnings)
        return container_id

    async def remove_containers(self, *, went_well: bool) -> None:
        """Remove the containers of a step as the request has it; those that stay are the user's."""
        containers, self._containers = self._containers, []
        for container_id in containers:
            if self.request.always_removes or (self.request.removes and went_well):
                await self.runner.remove(container_id)
                self.progress.removed(container_id)
            else:
                await self.runner.keep(container_id)

    async def abandon_containers(self) -> None:
        """Remove the containers of a build that was cancelled."""
        containers, self._containers = self._containers, []
        for container_id in containers:
            await self.runner.remove(container_id)

    # -- variables -------------------------------------------------------------------------------

    def variables(self, stage: StageState) -> Mapping[str, str]:
        """Return what `$NAME` means in a stage now."""
        environment = stage.environment()
        return {**self.arguments.values(stage.allowed, environment), **environment}

    def default_platform(self) -> Platform:
        """Return the platform that the request asks for, or this host's."""
        return self.request.platform or host_platform()
