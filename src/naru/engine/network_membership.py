"""Networks of a container that exists already: connect and disconnect.

The record is written first, for it is what the container wants; a start of the engine makes what
runs agree with it.
"""

from __future__ import annotations

import logging

import msgspec

from naru.aio import in_thread, uncancelled
from naru.api.container_config import EndpointSettings
from naru.engine.containers.hosts_file import update_hosts
from naru.engine.containers.networking import (
    SHARES,
    endpoint_request,
    port_requests,
    refuse_mixed_networks,
    remember_networks,
    sandbox_request,
)
from naru.engine.containers.resolver_file import update_resolv_conf
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.engine.networks import tell_network
from naru.errors import (
    ConflictError,
    FaultError,
    ForbiddenError,
    InvalidInputError,
    NaruError,
    NotFoundError,
)
from naru.faults import fault_point
from naru.network.leasing import check_endpoint
from naru.network.model import Network

_log = logging.getLogger(__name__)
_CONNECT_NOTED = fault_point("engine.connect.noted")
_DISCONNECT_NOTED = fault_point("engine.disconnect.noted")


async def connect_container(
    ctx: EngineContext, name: str, container_name: str, settings: EndpointSettings | None
) -> None:
    """Connect a container, running or not, to one more network.

    Raises:
        NotFoundError: no such network or container.
        InvalidInputError: the two do not go together, or an option is wrong.
        ForbiddenError: it is on that network, or an address is taken.
        ConflictError: it is being removed.
    """
    container = ctx.registry.find(container_name)
    settings = settings or EndpointSettings()
    async with ctx.locks.hold(container.id):
        network = ctx.networks.resolve(name)
        _refuse_removed(container)
        _refuse_misfit(container, network)
        check_endpoint(network, endpoint_request(network.id, settings))
        if network.name in container.record.endpoints:
            if not container.is_running:
                return
            raise ForbiddenError(
                f"endpoint with name {container.name} already exists in network {network.name}"
            )
        settings.network_id = "" if network.is_builtin else network.id
        await uncancelled(_connect(ctx, container, network, settings))


async def _connect(
    ctx: EngineContext, container: Container, network: Network, settings: EndpointSettings
) -> None:
    _save(ctx, container, {**container.record.endpoints, network.name: settings})
    if not container.is_running:
        return
    _CONNECT_NOTED()
    try:
        await _join(ctx, container, network, settings)
    except BaseException:
        others = {k: v for k, v in container.record.endpoints.items() if k != network.name}
        _save(ctx, container, others)
        raise
    tell_network(ctx, network, "connect", container=container.id)


async def _join(
    ctx: EngineContext, container: Container, network: Network, settings: EndpointSettings
) -> None:
    request = sandbox_request(ctx, container, {network.name: settings})
    sandbox = await in_thread(ctx.networks.connect, request)
    remember_networks(ctx, container, sandbox)
    await in_thread(update_hosts, ctx, container, sandbox)
    await in_thread(update_resolv_conf, ctx, container)


async def disconnect_container(
    ctx: EngineContext, name: str, container_name: str, *, force: bool
) -> None:
    """Take a network from a container, running or not.

    Raises:
        NotFoundError: no such network or container; with `force`, no such endpoint.
        InvalidInputError: it is the host's network.
        FaultError: the container is not on the network; Docker's status for it is 500.
        ConflictError: it is being removed.
    """
    try:
        container = ctx.registry.find(container_name)
    except NotFoundError as error:
        if not force:
            raise
        ctx.networks.resolve(name)
        raise NotFoundError(f"endpoint {container_name} not found") from error
    async with ctx.locks.hold(container.id):
        network = _network_of(ctx, container, name, force=force)
        _refuse_removed(container)
        shown = network.name if network else name
        if container.network_mode == "host" and shown == "host" and container.is_running:
            raise InvalidInputError(
                "container cannot be disconnected from host network or connected to host network"
            )
        if shown not in container.record.endpoints:
            the = "" if container.is_running else "the "
            raise FaultError(f"container {container.id} is not connected to {the}network {shown}")
        await uncancelled(_disconnect(ctx, container, network, shown))


def _network_of(
    ctx: EngineContext, container: Container, name: str, *, force: bool
) -> Network | None:
    """Return the network, or None of one that is gone and only the container still knows."""
    try:
        return ctx.networks.resolve(name)
    except NotFoundError:
        if container.is_running and not force:
            raise
        if name not in container.record.endpoints:
            raise
        return None


async def _disconnect(
    ctx: EngineContext, container: Container, network: Network | None, name: str
) -> None:
    _save(ctx, container, {k: v for k, v in container.record.endpoints.items() if k != name})
    _DISCONNECT_NOTED()
    if network is None:
        return
    if container.is_running:
        await _leave(ctx, container, network.id)
    tell_network(ctx, network, "disconnect", container=container.id)


async def _leave(ctx: EngineContext, container: Container, network_id: str) -> None:
    sandbox = ctx.networks.sandbox(container.id)
    if sandbox is None or sandbox.endpoint_on(network_id) is None:
        return
    ports = port_requests(container)
    after = await in_thread(ctx.networks.disconnect, container.id, network_id, ports)
    await in_thread(update_hosts, ctx, container, after)
    await in_thread(update_resolv_conf, ctx, container)


async def agree_with_record(ctx: EngineContext, container: Container) -> None:
    """Finish what an engine that died had begun: a running container has the networks it wants."""
    sandbox = ctx.networks.sandbox(container.id)
    if sandbox is None:
        return
    wanted = dict(container.record.endpoints)
    for endpoint in sandbox.endpoints:
        if endpoint.network_name in wanted:
            del wanted[endpoint.network_name]
        else:
            await _leave(ctx, container, endpoint.network_id)
    for name, settings in wanted.items():
        try:
            network = ctx.networks.resolve(settings.network_id or name)
            await _join(ctx, container, network, settings)
        except NaruError as error:
            _log.warning("container %s is not on %s: %s", container.short_id, name, error.message)


def _save(ctx: EngineContext, container: Container, endpoints: dict[str, EndpointSettings]) -> None:
    record = msgspec.structs.replace(container.record, endpoints=endpoints)
    ctx.registry.save_record(container, record)


def _refuse_removed(container: Container) -> None:
    if container.is_leaving:
        raise ConflictError(
            f"Container {container.id} is marked for removal and cannot be connected or "
            "disconnected to the network"
        )


def _refuse_misfit(container: Container, network: Network) -> None:
    """Refuse networks that cannot be had together, in Docker's words."""
    if container.joined_container():
        raise InvalidInputError(SHARES)
    if network.driver == "host" and container.network_mode != "host":
        raise InvalidInputError(
            "cannot connect container to host network - container must be created in host "
            "network mode"
        )
    refuse_mixed_networks({network.name, *container.record.endpoints})
