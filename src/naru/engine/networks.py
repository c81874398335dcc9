"""The networks that there are, as the API says them."""

from __future__ import annotations

from typing import Any

from naru.api.filters import Filters
from naru.engine.context import EngineContext
from naru.engine.model import Container
from naru.network.model import Network
from naru.units import print_rfc3339

_FILTERS = frozenset("dangling driver id label name scope type".split())


async def list_networks(ctx: EngineContext, filters: Filters) -> list[dict[str, Any]]:
    """Return the networks that fit, in the order of their names.

    Raises:
        InvalidInputError: a filter is unknown.
    """
    filters.refuse_unknown(_FILTERS)
    found = sorted(ctx.networks.networks(), key=lambda network: network.name)
    return [_view(network, {}) for network in found if _fits(network, filters)]


def _fits(network: Network, filters: Filters) -> bool:
    kind = "builtin" if network.is_builtin else "custom"
    return (
        filters.matches_fuzzily("name", network.name)
        and filters.matches_prefix("id", network.id)
        and filters.matches("driver", network.driver)
        and filters.matches("scope", "local")
        and filters.matches("type", kind)
        and filters.matches_labels("label", network.labels)
        # Docker never counts its own networks as dangling.
        and ("dangling" not in filters or not filters.is_true("dangling"))
    )


async def inspect_network(ctx: EngineContext, name: str) -> dict[str, Any]:
    """Return one network with the containers on it.

    Raises:
        NotFoundError: no such network.
    """
    network = ctx.networks.resolve(name)
    members = {
        container.id: view
        for container in ctx.registry
        if container.is_running and (view := _member(ctx, network, container)) is not None
    }
    return _view(network, members)


def _member(ctx: EngineContext, network: Network, container: Container) -> dict[str, Any] | None:
    if network.driver == "host" and container.network_mode == "host":
        return _endpoint(container, "", "", "")
    sandbox = ctx.networks.sandbox(container.id)
    for endpoint in sandbox.endpoints if sandbox else ():
        if endpoint.network_id == network.id:
            address = f"{endpoint.ipv4}/{endpoint.prefix_length}" if endpoint.ipv4 else ""
            return _endpoint(container, endpoint.endpoint_id, endpoint.mac_address, address)
    return None


def _endpoint(
    container: Container, endpoint_id: str, mac_address: str, address: str
) -> dict[str, Any]:
    return {
        "Name": container.name,
        "EndpointID": endpoint_id,
        "MacAddress": mac_address,
        "IPv4Address": address,
        "IPv6Address": "",
    }


def _view(network: Network, members: dict[str, dict[str, Any]]) -> dict[str, Any]:
    pools = [{"Subnet": network.subnet, "Gateway": network.gateway}] if network.subnet else None
    return {
        "Name": network.name,
        "Id": network.id,
        "Created": print_rfc3339(network.created_ns),
        "Scope": "local",
        "Driver": network.driver,
        "EnableIPv4": True,
        "EnableIPv6": False,
        "IPAM": {"Driver": "default", "Options": None, "Config": pools},
        "Internal": False,
        "Attachable": False,
        "Ingress": False,
        "ConfigFrom": {"Network": ""},
        "ConfigOnly": False,
        "Containers": members,
        "Options": dict(network.options),
        "Labels": dict(network.labels),
    }
