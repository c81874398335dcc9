"""The steps of a recreation: made ready, switched to, proved, and settled or gone back from.

The row is the intent. Until it is switched, it holds the old record with the new one beside it;
afterwards the new one with the old one beside it, until the new container has proved itself. An
engine that starts in between goes back to the old one, unless the new one runs.
"""

from __future__ import annotations

import logging

import msgspec

from naru.aio import in_thread
from naru.engine.containers.files import limit_layer
from naru.engine.containers.image_mounts import provide_views
from naru.engine.containers.removal import remove_stopped
from naru.engine.containers.start import launch
from naru.engine.containers.stop import kill_and_wait
from naru.engine.containers.volume_mounts import (
    copy_up_volumes,
    provide_volumes,
    remove_anonymous_volumes,
)
from naru.engine.context import EngineContext
from naru.engine.model import (
    Container,
    ContainerRecord,
    ContainerState,
    MountRecord,
    Recreation,
)
from naru.engine.views.containers import container_attributes
from naru.errors import ConflictError, FaultError, NaruError
from naru.faults import fault_point
from naru.images.catalog import Image

_log = logging.getLogger(__name__)
_AFTER_INTENT = fault_point("engine.recreate.after_intent")
_AFTER_MAKING = fault_point("engine.recreate.after_making")
_AFTER_SWITCH = fault_point("engine.recreate.after_switch")
_AFTER_LAUNCH = fault_point("engine.recreate.after_launch")
_AFTER_COMMIT = fault_point("engine.recreate.after_commit")
_LOOK_S = 0.1


async def make_ready(
    ctx: EngineContext, container: Container, wanted: ContainerRecord, fresh: Image | None
) -> None:
    """Write the intent, and make what the new container needs beyond the old one.

    With `fresh` it gets a new writable layer on that image. After a failure nothing is left.
    The caller holds the container's lock; it may run.
    """
    intent = Recreation(other=wanted)
    record = msgspec.structs.replace(container.record, recreation=intent)
    ctx.registry.save_record(container, record)
    draft = Container(container.id, container.name, wanted, ContainerState())

    def make() -> None:
        provide_volumes(ctx, draft)
        if fresh is not None:
            ctx.images.snapshots.prepare(draft.layer, fresh.chain_id)
            limit_layer(ctx, draft)
        provide_views(ctx, draft)

    try:
        _AFTER_INTENT()
        await in_thread(make)
        _AFTER_MAKING()
    except BaseException:
        await abandon(ctx, container)
        raise
    # With the paths of what was made.
    ctx.registry.save_record(container, container.record)


async def abandon(ctx: EngineContext, container: Container) -> None:
    """Let the container be what it is, or was: the record to go back to counts. Idempotent."""
    recreation = container.record.recreation
    if recreation is None:
        return
    record = recreation.other if recreation.is_switched else container.record
    unused = _anonymous(container.record.held_mounts()) - _anonymous(record.mounts)
    await in_thread(_remove_volumes, ctx, container, unused)
    ctx.registry.save_record(container, msgspec.structs.replace(record, recreation=None))
    await in_thread(drop_unused_snapshots, ctx, container)


def switch(ctx: EngineContext, container: Container, *, patience: float) -> None:
    """Let the container be the new one from here on; one write. It does not run now."""
    before = container.record
    assert before.recreation is not None
    intent = Recreation(
        other=msgspec.structs.replace(before, recreation=None),
        is_switched=True,
        patience=patience,
        addresses=before.recreation.addresses,
    )
    record = msgspec.structs.replace(before.recreation.other, recreation=intent)
    ctx.registry.save_record(container, record)
    _AFTER_SWITCH()


async def fill_volumes(ctx: EngineContext, container: Container) -> None:
    """Copy what the image has into the volumes that the old container did not have."""
    recreation = container.record.recreation
    assert recreation is not None
    known = {mount.name for mount in recreation.other.mounts}
    fresh = [mount for mount in container.record.mounts if mount.name not in known]
    draft = msgspec.structs.replace(container.record, mounts=fresh)
    await copy_up_volumes(ctx, Container(container.id, container.name, draft, container.state))


async def bring_up(ctx: EngineContext, container: Container) -> None:
    """Start the new container.

    Its state says that it comes back, until it is settled: its end is not the container's.
    """
    await launch(ctx, container, restart_count=0)
    container.state.comes_back = True
    ctx.registry.save_state(container)
    _AFTER_LAUNCH()


async def prove(ctx: EngineContext, container: Container) -> None:
    """Wait until the new container is healthy, if it has that to prove.

    Raises:
        FaultError: it is not, or not in time.
    """
    recreation = container.record.recreation
    if recreation is None or not recreation.patience:
        return
    waited = 0.0
    while True:
        health = container.state.health
        if ctx.registry.get(container.id) is None or not container.is_running:
            raise FaultError(
                f"it ended with exit code {container.state.exit_code} before it was healthy"
            )
        if health is None or health.status == "healthy":
            return
        if health.status == "unhealthy":
            last = health.log[-1].output.strip() if health.log else ""
            raise FaultError(f"it is unhealthy: {last}" if last else "it is unhealthy")
        if waited >= recreation.patience:
            raise FaultError(f"it is not healthy after {recreation.patience:g} seconds")
        await ctx.clock.sleep(_LOOK_S)
        waited += _LOOK_S


async def settle(ctx: EngineContext, container: Container) -> None:
    """Let go of the old container: there is no way back from here. The caller holds the lock."""
    if container.state.status not in ("exited", "created"):
        container.state.comes_back = False
        ctx.registry.save_state(container)
    ctx.registry.save_record(container, msgspec.structs.replace(container.record, recreation=None))
    ctx.events.publish("container", "recreate", container.id, container_attributes(container))
    _AFTER_COMMIT()
    await in_thread(drop_unused_snapshots, ctx, container)
    if container.state.comes_back:
        await _end_for_good(ctx, container)


async def _end_for_good(ctx: EngineContext, container: Container) -> None:
    """Do what was put off while the container was to come back: it ended after it was proved."""
    container.state.comes_back = False
    ctx.registry.save_state(container)
    if container.host_config.auto_remove:
        await remove_stopped(ctx, container, volumes=True)


async def prove_and_settle(ctx: EngineContext, container: Container) -> None:
    """Wait for the new container to prove itself, then settle, or go back to the old one.

    Raises:
        FaultError: it did not; the old container is there again, and runs unless it was stopped.
        ConflictError: the container was removed meanwhile.
    """
    try:
        await prove(ctx, container)
    except FaultError as error:
        if ctx.registry.get(container.id) is None:
            raise ConflictError(f"container {container.id} was removed meanwhile") from error
        await roll_back(ctx, container, error, starts=not container.state.stopped_by_user)
    async with ctx.locks.hold(container.id):
        if ctx.registry.get(container.id) is None:
            raise ConflictError(f"container {container.id} was removed meanwhile")
        await settle(ctx, container)


async def roll_back(
    ctx: EngineContext, container: Container, error: NaruError, *, starts: bool
) -> None:
    """Go back to the old container, and start it.

    Raises:
        NaruError: always: that of the new container, in words that say what is there now.
    """
    if container.state.status in ("running", "paused", "restarting"):
        container.state.comes_back = True
        await kill_and_wait(ctx, container)
    async with ctx.locks.hold(container.id):
        await _go_back(ctx, container, error, starts=starts)


async def _go_back(
    ctx: EngineContext, container: Container, error: NaruError, *, starts: bool
) -> None:
    await abandon(ctx, container)
    outcome = "it is as it was before"
    if starts and not container.is_running:
        container.state.comes_back = True
        ctx.registry.save_state(container)
        try:
            await launch(ctx, container, restart_count=0)
        except NaruError as second:
            outcome += f", but did not start again: {second.message}"
    if not container.is_running:
        container.state.comes_back = False
        ctx.registry.save_state(container)
    error.message = f"cannot recreate container {container.name}: {error.message}; {outcome}"
    raise error


async def finish_recreation(ctx: EngineContext, container: Container) -> None:
    """After a start of the engine: go on with a recreation that was cut short.

    What runs has been looked after already, and what does not run is started by the caller.
    """
    recreation = container.record.recreation
    if recreation is None:
        return
    if not (recreation.is_switched and container.is_running):
        # Its state says whether it is to run: it was stopped for this, or did not run.
        await abandon(ctx, container)
        if container.is_running:
            # It was asked to end, and did not.
            container.state.comes_back = container.state.stopped_by_user = False
            ctx.registry.save_state(container)
        return
    ctx.tasks.start(_go_on(ctx, container), name=f"recreate {container.short_id}")


async def _go_on(ctx: EngineContext, container: Container) -> None:
    try:
        await prove_and_settle(ctx, container)
    except NaruError as error:
        _log.warning("%s", error.message)


def drop_unused_snapshots(ctx: EngineContext, container: Container) -> None:
    """Remove the layers and views of a container that no record of it names. Blocking."""
    snapshots = ctx.images.snapshots
    used = snapshots_in_use(container)
    # Nobody's key begins with another's id.
    unused = [info.key for info in snapshots.walk(below=container.id) if info.key not in used]
    if unused:
        # After a power cut, records that name them must be gone if they are.
        ctx.registry.sync()
    for key in unused:
        snapshots.remove(key)


def snapshots_in_use(container: Container) -> frozenset[str]:
    """Return the keys of the snapshots that a container has, or may go back or forward to."""
    recreation = container.record.recreation
    records = [container.record, *([recreation.other] if recreation else ())]
    return frozenset(
        key
        for record in records
        for key in (
            record.layer or container.id,
            *(mount.source for mount in record.mounts if mount.type == "image"),
        )
    )


def _anonymous(mounts: list[MountRecord]) -> set[str]:
    return {mount.name for mount in mounts if mount.anonymous}


def _remove_volumes(ctx: EngineContext, container: Container, names: set[str]) -> None:
    gone = [mount for mount in container.record.held_mounts() if mount.name in names]
    draft = msgspec.structs.replace(container.record, mounts=gone, recreation=None)
    remove_anonymous_volumes(ctx, Container(container.id, container.name, draft, container.state))
