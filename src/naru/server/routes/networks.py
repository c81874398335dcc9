"""/networks."""

from __future__ import annotations

from aiohttp import web

from naru.api.networks import (
    NetworkConnectRequest,
    NetworkCreateRequest,
    NetworkDisconnectRequest,
)
from naru.engine import network_membership, networks
from naru.server import params
from naru.server.answers import json_answer, no_content


async def list_all(request: web.Request) -> web.Response:
    """List networks."""
    return json_answer(
        await networks.list_networks(
            params.context(request), params.filters(request), params.api_version(request)
        )
    )


async def inspect(request: web.Request) -> web.Response:
    """Inspect a network; what `verbose` would add are services, which there are none of."""
    params.strict_flag(request, "verbose")
    view = await networks.inspect_network(
        params.context(request),
        params.name(request),
        scope=params.text(request, "scope"),
    )
    return json_answer(view)


async def create(request: web.Request) -> web.Response:
    """Make a network."""
    body = await params.body(request, NetworkCreateRequest)
    view = await networks.create_network(params.context(request), body, params.api_version(request))
    return json_answer(view, status=201)


async def remove(request: web.Request) -> web.Response:
    """Remove a network."""
    await networks.remove_network(params.context(request), params.name(request))
    return no_content()


async def connect(request: web.Request) -> web.Response:
    """Connect a container to a network."""
    body = await params.body(request, NetworkConnectRequest)
    await network_membership.connect_container(
        params.context(request), params.name(request), body.container, body.endpoint_config
    )
    return web.Response(status=200)


async def disconnect(request: web.Request) -> web.Response:
    """Take a network from a container."""
    body = await params.body(request, NetworkDisconnectRequest)
    await network_membership.disconnect_container(
        params.context(request), params.name(request), body.container, force=body.force
    )
    return web.Response(status=200)


async def prune(request: web.Request) -> web.Response:
    """Remove the networks that nobody uses."""
    return json_answer(
        await networks.prune_networks(params.context(request), params.filters(request))
    )


ROUTES = (
    ("GET", "/networks", list_all),
    ("GET", "/networks/", list_all),
    ("POST", "/networks/create", create),
    ("POST", "/networks/prune", prune),
    # Docker lets a network have a slash in its name.
    ("GET", "/networks/{name:.+}", inspect),
    ("DELETE", "/networks/{name:.+}", remove),
    ("POST", "/networks/{name:.+}/connect", connect),
    ("POST", "/networks/{name:.+}/disconnect", disconnect),
)
