"""What a container asks of its networks, and joining them all when it starts."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import msgspec

from naru.aio import in_thread
from naru.api.container_config import (
    ContainerConfig,
    EndpointIPAMConfig,
    EndpointSettings,
    NetworkingConfig,
)
from naru.api.host_config import HostConfig
from naru.engine.containers.links import links_of, reaches
from naru.engine.context import EngineContext
from naru.engine.model import Container, network_name
from naru.errors import ConflictError, InvalidInputError, NaruError, NotFoundError
from naru.network.leasing import check_endpoint
from naru.network.model import (
    BUILTIN_NETWORKS,
    DEFAULT_NETWORK,
    EndpointRequest,
    PortRequest,
    Sandbox,
    SandboxRequest,
)
from naru.network.port_requests import parse_port_requests

SHARES = (
    "container sharing network namespace with another container or host cannot be connected to "
    "any other network"
)


def wanted_endpoints(
    ctx: EngineContext,
    config: ContainerConfig,
    host_config: HostConfig,
    networking: NetworkingConfig | None,
) -> dict[str, EndpointSettings]:
    """Return the networks that a new container is to join, by name, the main one first.

    A network that does not exist yet may come until the container starts.

    Raises:
        InvalidInputError: what is asked of one of them cannot be.
    """
    named = (networking and networking.endpoints_config) or {}
    if host_config.network_mode.startswith("container:"):
        if named.keys() - {host_config.network_mode}:
            raise InvalidInputError(SHARES)
        return {}
    if config.network_disabled:
        return {}
    mode = _known_name(ctx, host_config.network_mode)
    given: dict[str, EndpointSettings] = {}
    for name, settings in named.items():
        given[_known_name(ctx, name)] = settings or EndpointSettings()
    for name, settings in given.items():
        _check(ctx, name, settings)
    if not given:
        return {mode: EndpointSettings()}
    refuse_mixed_networks({mode, *given})
    return {name: given[name] for name in sorted(given, key=lambda name: (name != mode, name))}


def refuse_mixed_networks(names: Collection[str]) -> None:
    """Refuse the host's network, or none at all, together with others.

    Raises:
        InvalidInputError: in Docker's words.
    """
    if len(names) > 1 and "host" in names:
        raise InvalidInputError(SHARES)
    if len(names) > 1 and "none" in names:
        raise InvalidInputError(
            "container cannot be connected to multiple networks with one of the networks in "
            "private (none) mode"
        )


def _known_name(ctx: EngineContext, name_or_id: str) -> str:
    """Return the name of a network that may have been named by its id."""
    name = network_name(name_or_id)
    try:
        return name if name in BUILTIN_NETWORKS else ctx.networks.resolve(name).name
    except NotFoundError:
        return name


def _check(ctx: EngineContext, name: str, settings: EndpointSettings) -> None:
    try:
        check_endpoint(ctx.networks.resolve(name), endpoint_request(name, settings))
    except NotFoundError:
        return
    except InvalidInputError as error:
        raise InvalidInputError(f"invalid config for network {name}: {error.message}") from error


def endpoint_request(network: str, settings: EndpointSettings) -> EndpointRequest:
    """Return what the API's words about one network mean to `naru.network`."""
    ipam = settings.ipam_config or EndpointIPAMConfig()
    return EndpointRequest(
        network=network,
        mac_address=settings.mac_address,
        ipv4_address=ipam.ipv4_address,
        ipv6_address=ipam.ipv6_address,
        link_local=tuple(text for text in ipam.link_local_ips or () if text),
        aliases=tuple(settings.aliases or ()),
        links=tuple(_link(text) for text in settings.links or ()),
        driver_options=settings.driver_opts or {},
        gateway_priority=settings.gw_priority,
    )


def _link(text: str) -> tuple[str, str]:
    """Return alias and name of `name:alias`; a name alone is its own alias."""
    name, _, alias = text.partition(":")
    return alias or name, name


def sandbox_request(
    ctx: EngineContext, container: Container, endpoints: dict[str, EndpointSettings]
) -> SandboxRequest:
    """Return a container's request for its sandbox, with these of its networks.

    Raises:
        FaultError: a container that it links to does not run.
    """
    recreation = container.record.recreation
    had = recreation.addresses if recreation else {}
    linked = reaches(links_of(ctx, container)) if DEFAULT_NETWORK in endpoints else ()
    return SandboxRequest(
        container_id=container.id,
        container_name=container.name,
        hostname=container.config.hostname,
        endpoints=tuple(
            # The id, once it is known: another network of the same name is not the same one.
            replace(
                endpoint_request(settings.network_id or name, settings),
                reaches=linked if name == DEFAULT_NETWORK else (),
                prefers=had.get(name, ("", "")),
            )
            for name, settings in endpoints.items()
        ),
        ports=port_requests(container),
    )


def port_requests(container: Container) -> tuple[PortRequest, ...]:
    """Return the ports that a container publishes."""
    return tuple(
        parse_port_requests(
            container.config.exposed_ports or {},
            container.host_config.port_bindings or {},
            publish_all=container.host_config.publish_all_ports,
        )
    )


async def join_networks(
    ctx: EngineContext, container: Container
) -> tuple[Sandbox | None, Path | None]:
    """Return the container's own sandbox if it gets one, and its namespace if not the host's."""
    if container.network_mode == "host":
        return None, None
    if container.joined_container():
        return None, _joined_namespace(ctx, container)
    settle_names(ctx, container)
    try:
        request = sandbox_request(ctx, container, container.record.endpoints)
        sandbox = await in_thread(ctx.networks.open, request)
    except NaruError as error:
        error.message = f"failed to set up container networking: {error.message}"
        raise
    remember_networks(ctx, container, sandbox)
    return sandbox, sandbox.netns_path


def settle_names(ctx: EngineContext, container: Container) -> None:
    """Call networks by their names that were named by an id before they were there."""
    known = {
        (settings.network_id and name) or _known_name(ctx, name): settings
        for name, settings in container.record.endpoints.items()
    }
    if list(known) != list(container.record.endpoints):
        record = msgspec.structs.replace(container.record, endpoints=known)
        ctx.registry.save_record(container, record)


def remember_networks(ctx: EngineContext, container: Container, sandbox: Sandbox) -> None:
    """Note which networks a container has been on: from now on it means these very ones."""
    known = dict(container.record.endpoints)
    for endpoint in sandbox.endpoints:
        settings = known.get(endpoint.network_name)
        if settings is None or endpoint.network_name in BUILTIN_NETWORKS:
            continue
        if settings.network_id != endpoint.network_id:
            known[endpoint.network_name] = msgspec.structs.replace(
                settings, network_id=endpoint.network_id
            )
    if known != container.record.endpoints:
        record = msgspec.structs.replace(container.record, endpoints=known)
        ctx.registry.save_record(container, record)


def _joined_namespace(ctx: EngineContext, container: Container) -> Path | None:
    """Return the namespace of the container that this one joins; None is the host's.

    Raises:
        NotFoundError: no such container.
        ConflictError: it does not run, or it is the container itself.
    """
    joined = ctx.registry.find(container.joined_container())
    if joined.id == container.id:
        raise ConflictError("cannot join own network")
    if joined.state.status == "restarting":
        raise ConflictError(
            f"Container {joined.id} is restarting, wait until the container is running"
        )
    if not joined.is_running:
        raise ConflictError(f"cannot join network of a non running container: {joined.id}")
    return Path(joined.state.netns_path) if joined.state.netns_path else None
