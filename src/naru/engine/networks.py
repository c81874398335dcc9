"""Networks as the API says them: list, inspect, create, remove, prune."""

from __future__ import annotations

from collections.abc import Iterable

from naru.aio import in_thread
from naru.api.filters import Filters
from naru.api.networks import IPAM, NetworkCreateRequest
from naru.api.version import MAXIMUM, ApiVersion
from naru.engine.context import EngineContext
from naru.engine.model import Container, Json
from naru.engine.pruning import FILTERS, has_pruned_labels, until_ns
from naru.errors import (
    ForbiddenError,
    InvalidInputError,
    NaruError,
    NotFoundError,
)
from naru.network.configurations import CONFIGURATION_DRIVER, check_configuration
from naru.network.ipam_requests import checked_pools
from naru.network.model import BUILTIN_NETWORKS, Network, NetworkRequest, Pool
from naru.network.options import enabled_versions
from naru.units import print_rfc3339

_FILTERS = frozenset("dangling driver id label name scope type".split())
_TYPES = frozenset({"builtin", "custom"})
NO_SWARM = (
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect '
    "this node to swarm and try again."
)


async def list_networks(
    ctx: EngineContext, filters: Filters, api_version: ApiVersion = MAXIMUM
) -> list[Json]:
    """Return the networks that fit, in the order of their names.

    Raises:
        InvalidInputError: a filter is unknown, or has a value that it cannot have.
    """
    filters.refuse_unknown(_FILTERS)
    for value in filters.get("type"):
        if value not in _TYPES:
            raise InvalidInputError(f"invalid filter: 'type'='{value}'")
    busy = {e.network_id for sandbox in ctx.networks.sandboxes() for e in sandbox.endpoints}
    found = sorted(ctx.networks.networks(), key=lambda network: network.name)
    # Before 1.28 a list told the containers, too.
    return [
        _view(network, _members(ctx, network) if api_version < (1, 28) else {})
        for network in found
        if _fits(network, filters, is_busy=network.id in busy)
    ]


def _fits(network: Network, filters: Filters, *, is_busy: bool) -> bool:
    kind = "builtin" if network.is_builtin else "custom"
    # Docker never counts its own networks as dangling.
    is_dangling = not (network.is_builtin or is_busy)
    return (
        filters.matches_fuzzily("name", network.name)
        and filters.matches_prefix("id", network.id)
        and filters.matches("driver", network.driver)
        and filters.matches("scope", network.scope)
        and filters.matches("type", kind)
        and filters.matches_labels("label", network.labels)
        and ("dangling" not in filters or filters.is_true("dangling") == is_dangling)
    )


async def inspect_network(ctx: EngineContext, name: str, *, scope: str = "") -> Json:
    """Return one network with the containers on it.

    Raises:
        NotFoundError: no such network in this scope.
    """
    network = ctx.networks.resolve(name)
    if scope and scope != network.scope:
        raise NotFoundError(f"network {name} not found")
    return _view(network, _members(ctx, network))


def _members(ctx: EngineContext, network: Network) -> dict[str, Json]:
    found = {}
    for container in ctx.registry:
        if container.is_running and (view := _member(ctx, network, container)) is not None:
            found[container.id] = view
    return found


def _member(ctx: EngineContext, network: Network, container: Container) -> Json | None:
    if network.driver == "host" and container.network_mode == "host":
        return _endpoint(container, "", "", "", "")
    sandbox = ctx.networks.sandbox(container.id)
    endpoint = sandbox.endpoint_on(network.id) if sandbox else None
    if endpoint is None:
        return None
    return _endpoint(
        container,
        endpoint.endpoint_id,
        endpoint.mac_address,
        f"{endpoint.ipv4}/{endpoint.prefix_length}" if endpoint.ipv4 else "",
        f"{endpoint.ipv6}/{endpoint.ipv6_prefix_length}" if endpoint.ipv6 else "",
    )


def _endpoint(
    container: Container, endpoint_id: str, mac_address: str, ipv4: str, ipv6: str
) -> Json:
    return {
        "Name": container.name,
        "EndpointID": endpoint_id,
        "MacAddress": mac_address,
        "IPv4Address": ipv4,
        "IPv6Address": ipv6,
    }


def _view(network: Network, members: dict[str, Json]) -> Json:
    pools = [_pool_view(pool) for pool in network.pools]
    options = network.ipam_options
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": print_rfc3339(network.created_ns),
        "Scope": network.scope,
        "Driver": network.driver,
        "EnableIPv4": network.ipv4,
        "EnableIPv6": network.ipv6,
        "IPAM": {
            "Driver": network.ipam_driver,
            "Options": None if options is None else dict(options),
            "Config": pools or None,
        },
        "Internal": network.internal,
        "Attachable": network.attachable,
        "Ingress": False,
        "ConfigFrom": {"Network": network.configured_by},
        "ConfigOnly": network.is_configuration,
        "Containers": members,
        "Options": dict(network.options),
        "Labels": dict(network.labels),
    }


def _pool_view(pool: Pool) -> Json:
    view: Json = {
        "Subnet": pool.subnet,
        "IPRange": pool.ip_range,
        "Gateway": pool.gateway if pool.shows_gateway else "",
        "AuxiliaryAddresses": dict(pool.auxiliary),
    }
    return {key: value for key, value in view.items() if value}


async def create_network(
    ctx: EngineContext, body: NetworkCreateRequest, api_version: ApiVersion = MAXIMUM
) -> Json:
    """Make a network.

    Raises:
        InvalidInputError, ForbiddenError, ConflictError, NotFoundError: in Docker's words.
    """
    request = network_request(body, api_version)
    network = await in_thread(ctx.networks.create, request)
    tell_network(ctx, network, "create")
    return {"Id": network.id, "Warning": ""}


def network_request(body: NetworkCreateRequest, api_version: ApiVersion) -> NetworkRequest:
    """Return what a create request means. Pure."""
    if body.name in BUILTIN_NETWORKS or body.name == "default":
        raise ForbiddenError(f"operation is not permitted on predefined {body.name} network ")
    if not body.name.strip():
        raise InvalidInputError("invalid name: name is empty")
    driver = body.driver or "bridge"
    _refuse_swarm(body, driver)
    options = dict(body.options or {})
    by_option = enabled_versions(options)
    ipam = body.ipam or IPAM()
    if ipam.driver not in ("", "default"):
        raise NotFoundError(f'plugin "{ipam.driver}" not found')
    pools = checked_pools(_pools(ipam))
    ipv4 = body.enable_ipv4 if api_version >= (1, 48) else None
    request = NetworkRequest(
        name=body.name,
        driver=CONFIGURATION_DRIVER if body.config_only else driver,
        pools=pools,
        ipv4=_first_said(ipv4, by_option[0], default=True),
        # Whoever names a subnet of IPv6 wants it.
        ipv6=_first_said(body.enable_ipv6, by_option[1], default=_has_ipv6(pools)),
        internal=body.internal,
        attachable=body.attachable,
        options=options,
        labels=body.labels or {},
        ipam_options=ipam.options,
        is_configuration=body.config_only,
        configured_by=body.config_from.network if body.config_from else "",
    )
    check_configuration(request, has_scope=bool(body.scope))
    return request


def _first_said(*said: bool | None, default: bool) -> bool:
    return next((value for value in said if value is not None), default)


def _has_ipv6(pools: Iterable[Pool]) -> bool:
    return any(pool.version == 6 for pool in pools)


def _pools(ipam: IPAM) -> Iterable[Pool]:
    for config in ipam.config or ():
        yield Pool(
            subnet=config.subnet,
            gateway=config.gateway,
            ip_range=config.ip_range,
            auxiliary=config.auxiliary_addresses or {},
        )


def _refuse_swarm(body: NetworkCreateRequest, driver: str) -> None:
    if driver == "overlay":
        raise ForbiddenError(NO_SWARM)
    if body.ingress:
        raise ForbiddenError("Ingress network can only be global scope network")
    if body.scope == "swarm":
        raise ForbiddenError("cannot create a swarm scoped network when swarm is not active")
    if body.scope not in ("", "local"):
        raise InvalidInputError(f"invalid scope {body.scope}: expected local")


async def remove_network(ctx: EngineContext, name: str) -> None:
    """Remove a network that no running container is on.

    Raises:
        NotFoundError: no such network.
        ForbiddenError: it is the engine's own, or containers are on it.
    """
    network = ctx.networks.resolve(name)
    if network.is_builtin:
        raise ForbiddenError(f"{network.name} is a pre-defined network and cannot be removed")
    await _remove(ctx, network)


async def _remove(ctx: EngineContext, network: Network) -> None:
    for sandbox in ctx.networks.sandboxes():
        container = ctx.registry.get(sandbox.container_id)
        if sandbox.endpoint_on(network.id) and not (container and container.is_running):
            # It has ended, and whoever stopped it knows; its network is being given back.
            async with ctx.locks.hold(sandbox.container_id):
                continue
    await in_thread(ctx.networks.remove, network)
    tell_network(ctx, network, "destroy")


async def prune_networks(ctx: EngineContext, filters: Filters) -> Json:
    """Remove all networks that no running container is on; configurations stay, as in Docker.

    Raises:
        InvalidInputError: a filter is unknown, or has a value that it cannot have.
        ConflictError: something is being pruned already.
    """
    filters.refuse_unknown(FILTERS)
    until = until_ns(filters, ctx.clock.now_ns())
    deleted = []
    with ctx.pruning.turn():
        for network in ctx.networks.networks():
            if network.is_builtin or network.is_configuration:
                continue
            if until is not None and network.created_ns > until:
                continue
            if not has_pruned_labels(filters, network.labels):
                continue
            try:
                await _remove(ctx, network)
            except NaruError:
                # Somebody uses it, or has just removed it.
                continue
            deleted.append(network.name)
        ctx.events.publish("network", "prune", "", {"reclaimed": "0"})
    return {"NetworksDeleted": deleted or None}


def tell_network(ctx: EngineContext, network: Network, action: str, **more: str) -> None:
    """Publish that something happened to a network."""
    attributes = {"name": network.name, "type": network.driver, **more}
    ctx.events.publish("network", action, network.id, attributes)
