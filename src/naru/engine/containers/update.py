"""`update`: other limits, restart policy and ports, in the record and in the kernel."""

from __future__ import annotations

import contextlib

import msgspec

from naru.aio import in_thread, uncancelled
from naru.api.host_config import HostConfig
from naru.api.update_request import UpdateRequest
from naru.engine.containers.republish import PortsChange, plan_ports, republish
from naru.engine.containers.spec_request import cgroup_path
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.views.containers import container_attributes
from naru.errors import (
    ConflictError,
    FaultError,
    InvalidInputError,
    NaruError,
    NotFoundError,
)
from naru.faults import fault_point
from naru.runtime import container_cgroup
from naru.specgen.resource_checks import validate_resources
from naru.specgen.resources import resources
from naru.specgen.update import lifted, updated
from naru.specgen.validate import PORTS_DISCARDED, check_restart_policy

_AFTER_INTENT = fault_point("engine.update.after_intent")
_AFTER_KERNEL = fault_point("engine.update.after_kernel")
_AFTER_RECORD = fault_point("engine.update.after_record")


async def update_container(ctx: EngineContext, name: str, request: UpdateRequest) -> list[str]:
    """Change a container's limits, restart policy and ports, and return the warnings.

    Atomic: where the kernel refuses, all is as before. What runs has its new limits and ports at
    once, what does not at its next start. An engine killed in between makes kernel and record
    agree at its next start.

    Raises:
        NotFoundError: no such container.
        InvalidInputError: a limit that makes no sense, that cannot change, or that is more than
            the machine has; a port that is none, or that is to go and is not there.
        ConflictError: a limit that does not go with those in force; or it is being removed.
        FaultError: the kernel refused, or a port is taken.
    """
    warnings = validate_resources(request, ctx.facts, is_update=True)
    check_restart_policy(request.restart_policy, auto_remove=False)
    container = ctx.registry.find(name)
    async with ctx.locks.hold(container.id):
        if container.is_leaving:
            raise ConflictError(
                f"Cannot update container {container.id}: container is marked for removal and "
                'cannot be "update"'
            )
        try:
            wanted = updated(container.host_config, request, request.restart_policy)
        except ConflictError as error:
            raise ConflictError(f"Cannot update container {container.id}: {error}") from error
        ports = plan_ports(ctx, container, request)
        if container.network_mode == "host" and request.publish_add:
            warnings.append(PORTS_DISCARDED)
        await uncancelled(_update_both(ctx, container, ports, wanted))
    ctx.events.publish("container", "update", container.id, container_attributes(container))
    return warnings


async def _update_both(
    ctx: EngineContext, container: Container, ports: PortsChange, limits: HostConfig
) -> None:
    before = container.record
    await republish(ctx, container, ports)
    bindings = ports.record.host_config.port_bindings
    try:
        await _update(ctx, container, msgspec.structs.replace(limits, port_bindings=bindings))
    except NaruError:
        await republish(ctx, container, PortsChange(before))
        raise


async def _update(ctx: EngineContext, container: Container, wanted: HostConfig) -> None:
    record = msgspec.structs.replace(container.record, host_config=wanted)
    is_live = container.is_running and (
        resources(wanted, ctx.facts) != resources(container.host_config, ctx.facts)
    )
    if is_live:
        _note_pending(ctx, container, is_pending=True)
        _AFTER_INTENT()
        try:
            await _set_limits(ctx, container, container.host_config, wanted)
        except NaruError as error:
            with contextlib.suppress(NaruError):
                await _set_limits(ctx, container, wanted, container.host_config)
            _note_pending(ctx, container, is_pending=False)
            kind = InvalidInputError if isinstance(error, InvalidInputError) else FaultError
            raise kind(f"Cannot update container {container.id}: {error}") from error
        _AFTER_KERNEL()
    ctx.registry.save_record(container, record)
    _AFTER_RECORD()
    if is_live:
        _note_pending(ctx, container, is_pending=False)


async def finish_update(ctx: EngineContext, container: Container) -> None:
    """Make the kernel agree with the record of a running container, after an update cut short.

    Raises:
        FaultError: the kernel refused.
    """
    if container.state.limits_pending:
        await _set_limits(ctx, container, None, container.host_config)
        _note_pending(ctx, container, is_pending=False)


def _note_pending(ctx: EngineContext, container: Container, *, is_pending: bool) -> None:
    container.state.limits_pending = is_pending
    ctx.registry.save_state(container)


async def _set_limits(
    ctx: EngineContext, container: Container, before: HostConfig | None, wanted: HostConfig
) -> None:
    """Put the limits of `wanted` in force; those of `before` that it lacks are taken away.

    Without `before` all limits are taken away that `wanted` lacks.
    """
    path = cgroup_path(ctx, container)
    limits = resources(wanted, ctx.facts)
    gone = lifted(resources(before, ctx.facts) if before else None, limits)
    if wanted.cpu_realtime_runtime:
        await in_thread(
            container_cgroup.provide_realtime,
            path,
            wanted.cpu_realtime_runtime,
            wanted.cpu_realtime_period,
        )
    try:
        await ctx.runtimes[wanted.runtime].update(container.id, limits)
        await in_thread(container_cgroup.lift, path, gone)
    except (NotFoundError, ConflictError):
        return  # It ended on its own; the next start has the new limits.
