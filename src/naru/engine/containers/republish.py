"""Other published ports for a container that exists, while it runs or not.

The record is written first, for it is what the container wants; what runs is made to agree.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from naru.aio import in_thread
from naru.api.host_config import PortBinding, PortMap
from naru.api.update_request import UpdateRequest
from naru.engine.containers.networking import port_requests
from naru.engine.context import EngineContext
from naru.engine.model import Container, ContainerRecord
from naru.errors import InvalidInputError, NaruError
from naru.faults import fault_point
from naru.network.model import PublishedPort
from naru.network.port_requests import (
    HostSide,
    parse_host_side,
    parse_port,
    parse_port_requests,
)

_log = logging.getLogger(__name__)
_AFTER_RECORD = fault_point("engine.republish.after_record")


@dataclass(frozen=True, slots=True)
class PortsChange:
    """The record that a container is to have; what is published now and must not stay."""

    record: ContainerRecord
    gone: tuple[PublishedPort, ...] = ()


def plan_ports(ctx: EngineContext, container: Container, request: UpdateRequest) -> PortsChange:
    """Return what becomes of a container's ports; the same record, if they do not change.

    Raises:
        InvalidInputError: a port is none, is to go and is not there, or cannot be published.
    """
    if not request.changes_ports:
        return PortsChange(container.record)
    if container.joined_container():
        raise InvalidInputError(
            "conflicting options: port publishing and the container type network mode"
        )
    sandbox = ctx.networks.sandbox(container.id)
    published = sandbox.published if sandbox else ()
    added, removed = request.publish_add, request.publish_remove
    try:
        record = changed_ports(container.record, published, added, removed)
    except InvalidInputError as error:
        error.message = _of(container, error)
        raise
    return PortsChange(
        record,
        tuple(
            one
            for one in published
            if any(
                side.covers(one.host_ip, one.host_port, one.protocol)
                for side in map(parse_host_side, removed)
            )
        ),
    )


def changed_ports(
    record: ContainerRecord,
    published: Collection[PublishedPort],
    add: PortMap,
    remove: Collection[str],
) -> ContainerRecord:
    """Return a record with other ports; `published` are those in force. Pure.

    Raises:
        InvalidInputError: a port is none, or is to go and is not there.
    """
    parse_port_requests(None, add)
    bindings = {
        _key(port): list(found) for port, found in (record.host_config.port_bindings or {}).items()
        if found
    }  # fmt: skip
    for side in map(parse_host_side, remove):
        left = {
            port: [one for one in found if not _leads(side, port, one, _own(one, found, published))]
            for port, found in bindings.items()
        }
        if left == bindings:
            raise InvalidInputError(
                _not_there(record, side, published), hint=_if_meant_inside(side, bindings)
            )
        bindings = {port: found for port, found in left.items() if found}
    exposed = dict(record.config.exposed_ports or {})
    for port, new in add.items():
        exposed.setdefault(_key(port), {})
        found = bindings.setdefault(_key(port), [])
        found += [one for one in new or () if one not in found]
    return msgspec.structs.replace(
        record,
        config=msgspec.structs.replace(record.config, exposed_ports=exposed or None),
        host_config=msgspec.structs.replace(record.host_config, port_bindings=bindings),
    )


def _of(container: Container, error: NaruError) -> str:
    # Of several containers at once, people must see which it was.
    return f"Cannot update container {container.id}: {error.message}"


def _key(port: str) -> str:
    number, protocol = parse_port(port)
    return f"{number}/{protocol}"


def _leads(
    side: HostSide, port: str, binding: PortBinding, published: Collection[PublishedPort]
) -> bool:
    """Say whether a binding is what publishes ports of that side of the host."""
    [request] = parse_port_requests(None, {port: [binding]})
    if request.host_port and request.host_port == request.host_port_end:
        return side.covers(request.host_ip, request.host_port, request.protocol)
    # Which one was free is known of a container that runs.
    return any(
        side.covers(one.host_ip, one.host_port, one.protocol)
        for one in published
        if (one.container_port, one.protocol) == (request.container_port, request.protocol)
    )


def _own(
    binding: PortBinding, siblings: Collection[PortBinding], published: Collection[PublishedPort]
) -> list[PublishedPort]:
    """Return what may be published by a binding: on its address, or on one that nobody names."""
    named = {one.host_ip for one in siblings if one.host_ip}
    if binding.host_ip:
        return [one for one in published if one.host_ip == binding.host_ip]
    return [one for one in published if one.host_ip not in named]


def _not_there(
    record: ContainerRecord, side: HostSide, published: Collection[PublishedPort]
) -> str:
    there = any(side.covers(one.host_ip, one.host_port, one.protocol) for one in published)
    if there and record.host_config.publish_all_ports:
        return (
            f"port {side} is published because the container publishes all its exposed ports: "
            "it cannot go alone"
        )
    return f"the container does not publish port {side} of the host"


def _if_meant_inside(side: HostSide, bindings: Mapping[str, Sequence[PortBinding]]) -> str:
    """Say where a port is published that was named by the container's side, as `recreate` does."""
    inside = f"{side.first}/{side.protocol}"
    hosts = [one.host_port for one in bindings.get(inside, ()) if one.host_port]
    if side.host_ip or side.first != side.last or not hosts:
        return ""
    return f"port {inside} of the container is published on {', '.join(hosts)} of the host"


async def republish(ctx: EngineContext, container: Container, change: PortsChange) -> None:
    """Write the record, and make the published ports of what runs those that it wants. Atomic.

    Raises:
        PublishError: a port is taken, in Docker's words.
        InvalidInputError, NotSupportedError: an address is none, or cannot be published on.
        FaultError: the kernel refused.
    """
    before = container.record
    is_same = before.host_config.port_bindings == change.record.host_config.port_bindings
    if is_same and not change.gone:
        return
    _note_pending(ctx, container, is_pending=True)
    ctx.registry.save_record(container, change.record)
    _AFTER_RECORD()
    try:
        await _agree(ctx, container, change.gone)
    except NaruError as error:
        ctx.registry.save_record(container, before)
        _note_pending(ctx, container, is_pending=False)
        error.message = _of(container, error)
        raise
    _note_pending(ctx, container, is_pending=False)


async def finish_republish(ctx: EngineContext, container: Container) -> None:
    """After a start of the engine: publish what the record says, if that was cut short."""
    if not container.state.ports_pending:
        return
    try:
        await _agree(ctx, container)
    except NaruError as error:
        _log.warning("ports of container %s: %s", container.short_id, error.message)
    _note_pending(ctx, container, is_pending=False)


async def _agree(
    ctx: EngineContext, container: Container, gone: Collection[PublishedPort] = ()
) -> None:
    if container.is_running and ctx.networks.sandbox(container.id) is not None:
        await in_thread(ctx.networks.republish, container.id, port_requests(container), gone)


def _note_pending(ctx: EngineContext, container: Container, *, is_pending: bool) -> None:
    container.state.ports_pending = is_pending
    ctx.registry.save_state(container)
