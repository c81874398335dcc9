"""`recreate`: other options or another image for a container that exists, all at once.

The container keeps its id, name, log, volumes and, while its image stays, its writable layer.
Where the new one does not start, the old one is there again.
"""

from __future__ import annotations

import asyncio
import posixpath

import msgspec

from naru.aio import uncancelled
from naru.api.container_config import ContainerConfig
from naru.api.create_request import CreateRequest, adapt
from naru.api.recreate_request import Changes
from naru.api.version import MAXIMUM
from naru.engine.containers.amend import amended, changes_networks, kept_mounts, mentioned
from naru.engine.containers.create import (
    check_against_host,
    default_hostname,
    fill_defaults,
    find_image,
    image_defaults,
)
from naru.engine.containers.create_checks import check_request
from naru.engine.containers.links import wanted_links
from naru.engine.containers.merge import merge_config, own_part
from naru.engine.containers.mount_requests import wanted_mounts
from naru.engine.containers.networking import wanted_endpoints
from naru.engine.containers.recreation import (
    abandon,
    bring_up,
    fill_volumes,
    make_ready,
    prove_and_settle,
    roll_back,
    settle,
    switch,
)
from naru.engine.containers.stop import ALIVE, stop_to_come_back
from naru.engine.containers.volume_mounts import inherited_mounts, name_anonymous_volumes
from naru.engine.context import EngineContext
from naru.engine.model import Container, ContainerRecord, MountRecord
from naru.errors import ConflictError, InvalidInputError, NaruError, NotFoundError
from naru.ids import new_id
from naru.images.catalog import Image


async def recreate_container(
    ctx: EngineContext,
    name: str,
    changes: Changes,
    *,
    platform: str = "",
    keeps_layer: bool = False,
    patience: float = 0,
    timeout: int | None = None,
) -> list[str]:
    """Change a container's options or image; return the warnings.

    A container that runs is stopped for it, with `timeout` as in stop, and started again. With
    `patience` the new one has so many seconds to become healthy. Atomic: after a failure, and
    after a death of the engine at any moment, either the old or the new container is there, and
    runs if the old one ran.

    Raises:
        NotFoundError: no such container or image.
        InvalidInputError: what it would become contradicts itself or this host.
        ConflictError: it is being removed or changed, or its layer cannot stay.
        StartFailedError, FaultError: the new one did not start, or did not become healthy.
    """
    container = ctx.registry.find(name)
    async with ctx.locks.hold(f"recreate {container.id}"):
        _refuse_removed(container)
        if patience < 0:
            raise InvalidInputError("the time to become healthy cannot be negative")
        if patience and container.state.status not in ALIVE:
            raise ConflictError(
                f"container {container.name} does not run: there is nothing to wait for"
            )
        wanted, fresh, warnings = _plan(ctx, container, changes, platform)
        if fresh is not None:
            if keeps_layer:
                raise ConflictError(
                    f"container {container.name} cannot keep its writable layer: image "
                    f"{wanted.image_name} is not the one that the layer is made on"
                )
            warnings.append(
                "The container has another image: its writable layer is made anew, and what was "
                "written to the old one is gone. Its volumes are kept."
            )
        await uncancelled(_recreate(ctx, container, wanted, fresh, patience, timeout))
        if container.record.recreation is not None:
            work = prove_and_settle(ctx, container)
            # It goes on without the client that asked for it.
            task = ctx.tasks.start(work, name="recreate", reports_failure=False)
            await asyncio.shield(task)
    return warnings


def _refuse_removed(container: Container) -> None:
    if container.is_leaving:
        raise ConflictError(
            f"container {container.id} is marked for removal and cannot be recreated"
        )
    if container.record.recreation is not None:
        raise ConflictError(f"container {container.id} is being recreated")


async def _recreate(
    ctx: EngineContext,
    container: Container,
    wanted: ContainerRecord,
    fresh: Image | None,
    patience: float,
    timeout: int | None,
) -> None:
    async with ctx.locks.hold(container.id):
        if ctx.registry.get(container.id) is None:
            raise NotFoundError(f"No such container: {container.name}")
        _refuse_removed(container)
        await make_ready(ctx, container, wanted, fresh)
        noted = container.record
        assert noted.recreation is not None
        noted.recreation.addresses = _addresses(ctx, container)
    was_alive = container.state.status in ALIVE
    if was_alive:
        await _stop(ctx, container, timeout)
    failure: NaruError | None = None
    async with ctx.locks.hold(container.id):
        if ctx.registry.get(container.id) is None:
            raise ConflictError(f"container {container.id} was removed meanwhile")
        if container.is_running:
            await abandon(ctx, container)
            raise ConflictError(f"container {container.id} was started meanwhile")
        try:
            if container.record is not noted:
                raise ConflictError("it was changed meanwhile")
            switch(ctx, container, patience=patience)
            await fill_volumes(ctx, container)
            if was_alive:
                await bring_up(ctx, container)
        except NaruError as error:
            failure = error
        else:
            if not patience:
                await settle(ctx, container)
    if failure is not None:
        await roll_back(ctx, container, failure, starts=was_alive)


async def _stop(ctx: EngineContext, container: Container, timeout: int | None) -> None:
    try:
        await stop_to_come_back(ctx, container, timeout=timeout)
    except NaruError:
        async with ctx.locks.hold(container.id):
            container.state.comes_back = False
            await abandon(ctx, container)
        raise


def _addresses(ctx: EngineContext, container: Container) -> dict[str, tuple[str, str]]:
    sandbox = ctx.networks.sandbox(container.id)
    endpoints = sandbox.endpoints if sandbox else ()
    return {endpoint.network_name: (endpoint.ipv4, endpoint.ipv6) for endpoint in endpoints}


def _plan(
    ctx: EngineContext, container: Container, changes: Changes, platform: str
) -> tuple[ContainerRecord, Image | None, list[str]]:
    """Return the record to come, the image that it needs a new layer on, and warnings."""
    record = container.record
    old_image = ctx.images.catalog.get(record.image_id)
    new_image = find_image(ctx, changes.image, platform) if changes.image else old_image
    if platform and not changes.image:
        raise InvalidInputError("a platform can be chosen together with an image only")
    before = image_defaults(old_image) if old_image else ContainerConfig()
    after = image_defaults(new_image) if new_image else ContainerConfig()
    own = own_part(record.config, before)
    if own.hostname == _hostname(ctx, container):
        own.hostname = ""
    request = amended(record, own, after, changes)
    is_fresh = new_image is not None and new_image.id != record.image_id
    _refuse_other_size(record, request, is_fresh=is_fresh)
    notes = adapt(request, MAXIMUM) if "MacAddress" in changes.given else []
    merged, warnings = _checked(ctx, container, request, after)
    host_config = request.host_config
    mounts = wanted_mounts(merged, host_config, _inherited(ctx, record, request, changes))
    _refuse_mounts(changes, record, after)
    kept_mounts(mounts, record.mounts, mentioned(changes))
    name_anonymous_volumes(mounts)
    wanted = msgspec.structs.replace(
        record,
        image_id=new_image.id if new_image else record.image_id,
        image_name=changes.image or record.image_name,
        config=merged,
        host_config=host_config,
        mounts=mounts,
        endpoints=(
            wanted_endpoints(ctx, merged, host_config, request.networking_config)
            if changes_networks(changes)
            else record.endpoints
        ),
        links=(
            wanted_links(ctx, host_config)
            if changes.host.keys() & {"Links", "NetworkMode"}
            else record.links
        ),
        layer=f"{container.id}/layer-{new_id()[:12]}" if is_fresh else record.layer,
        recreation=None,
    )
    return wanted, new_image if is_fresh else None, [*notes, *warnings]


def _checked(
    ctx: EngineContext, container: Container, request: CreateRequest, image: ContainerConfig
) -> tuple[ContainerConfig, list[str]]:
    """Check the whole request as a new container's, and return its merged config."""
    config, host_config = request.config(), request.host_config
    check_request(config, host_config)
    merged = merge_config(config, image)
    fill_defaults(ctx, host_config)
    warnings = check_against_host(ctx, merged, host_config)
    if not merged.hostname:
        merged.hostname = default_hostname(ctx, container.id, host_config)
    return merged, warnings


def _hostname(ctx: EngineContext, container: Container) -> str:
    try:
        return default_hostname(ctx, container.id, container.host_config)
    except NotFoundError:
        # Of the container that it joined, which is gone.
        return container.config.hostname


def _inherited(
    ctx: EngineContext, record: ContainerRecord, request: CreateRequest, changes: Changes
) -> list[MountRecord]:
    """Return what other containers lend: as it was, unless others are named."""
    if "VolumesFrom" in changes.host:
        return inherited_mounts(ctx, request.host_config)
    own = {mount.destination for mount in wanted_mounts(record.config, record.host_config)}
    gone = own | mentioned(changes)
    return [mount for mount in record.mounts if mount.destination not in gone]


def _refuse_mounts(changes: Changes, record: ContainerRecord, image: ContainerConfig) -> None:
    """Refuse to take away a mount that is not there, or that the image brings back."""
    for text in changes.removes.mounts:
        destination = posixpath.normpath(text)
        if not any(mount.destination == destination for mount in record.mounts):
            raise InvalidInputError(f"the container has no mount at {destination}")
        if destination in {posixpath.normpath(path) for path in image.volumes or ()}:
            raise InvalidInputError(
                f"{destination} is a volume of the image: it can be another mount, but cannot go"
            )


def _refuse_other_size(record: ContainerRecord, request: CreateRequest, *, is_fresh: bool) -> None:
    if not is_fresh and request.host_config.storage_opt != record.host_config.storage_opt:
        raise InvalidInputError(
            "storage options are those of the writable layer, which stays: they can change "
            "together with the image only"
        )
