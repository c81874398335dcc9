"""A container's networks and ports as the API says them.

Spec: Engine API 1.50, definitions NetworkSettings, EndpointSettings, PortSummary.
"""

from __future__ import annotations

import msgspec

from naru.api.container_config import EndpointSettings
from naru.api.version import MAXIMUM, ApiVersion
from naru.engine.context import EngineContext
from naru.engine.model import Container, Json
from naru.network.model import BUILTIN_NETWORKS, Endpoint, PublishedPort, Sandbox

# The addresses of the default bridge stand at the top level too, until API 1.52.
_DEFAULT_NETWORK = "bridge"
_LEFT_TO_INSPECT = ("Links", "Aliases", "DriverOpts", "DNSNames")
_FIELDS_SINCE = {"DNSNames": (1, 44), "GwPriority": (1, 48)}


def sandbox_of(ctx: EngineContext, container: Container) -> Sandbox | None:
    """Return the container's own network sandbox, if it runs and has one."""
    return ctx.networks.sandbox(container.id) if container.is_running else None


def tell_networks(ctx: EngineContext, container: Container, action: str) -> None:
    """Publish that the container was connected to its networks, or disconnected."""
    sandbox = ctx.networks.sandbox(container.id)
    for endpoint in sandbox.endpoints if sandbox else ():
        driver = ctx.networks.resolve(endpoint.network_id).driver
        attributes = {"container": container.id, "name": endpoint.network_name, "type": driver}
        ctx.events.publish("network", action, endpoint.network_id, attributes)


def network_settings_view(ctx: EngineContext, container: Container, api: ApiVersion) -> Json:
    """Return `NetworkSettings` of inspect."""
    sandbox = sandbox_of(ctx, container)
    networks = networks_view(ctx, container, api)
    default = networks.get(_DEFAULT_NETWORK) or endpoint_view(
        container, _DEFAULT_NETWORK, None, api
    )
    return {
        "Bridge": "",
        "SandboxID": container.id if sandbox else "",
        "SandboxKey": str(sandbox.netns_path) if sandbox else "",
        "Ports": ports_view(ctx, container),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        **{
            key: default[key]
            for key in (
                "EndpointID",
                "Gateway",
                "GlobalIPv6Address",
                "GlobalIPv6PrefixLen",
                "IPAddress",
                "IPPrefixLen",
                "IPv6Gateway",
                "MacAddress",
            )
        },
        "Networks": networks,
    }


def networks_view(ctx: EngineContext, container: Container, api: ApiVersion = MAXIMUM) -> Json:
    """Return `NetworkSettings.Networks`."""
    sandbox = sandbox_of(ctx, container)
    live = {endpoint.network_name: endpoint for endpoint in (sandbox.endpoints if sandbox else ())}
    names = dict.fromkeys([*container.record.endpoints, *live])
    views = {name: endpoint_view(container, name, live.get(name), api) for name in names}
    if container.state.started_ns:
        # The engine's own networks are known by name alone; a container that has been there
        # tells their ids all the same.
        for network in ctx.networks.networks():
            if network.is_builtin and network.name in views:
                views[network.name]["NetworkID"] = network.id
    return views


def network_summaries(ctx: EngineContext, container: Container, api: ApiVersion) -> Json:
    """Return the `Networks` of the list, which tells where a container is, not its names there."""
    networks = networks_view(ctx, container, api)
    for view in networks.values():
        view |= {name: None for name in _LEFT_TO_INSPECT if name in view}
    return networks


def endpoint_view(
    container: Container, name: str, endpoint: Endpoint | None, api: ApiVersion
) -> Json:
    """Return one entry of `Networks`; a stopped container has no addresses."""
    view: Json = {
        "IPAMConfig": None,
        "Links": None,
        "Aliases": None,
        "MacAddress": "",
        "DriverOpts": None,
        "GwPriority": 0,
        "NetworkID": "",
        "EndpointID": "",
        "Gateway": "",
        "IPAddress": "",
        "IPPrefixLen": 0,
        "IPv6Gateway": "",
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "DNSNames": None,
    }
    asked = container.record.endpoints.get(name)
    if asked is not None:
        view |= {
            "IPAMConfig": msgspec.to_builtins(asked.ipam_config),
            "Links": asked.links,
            "Aliases": asked.aliases,
            "MacAddress": asked.mac_address,
            "DriverOpts": asked.driver_opts,
            "GwPriority": asked.gw_priority,
            "NetworkID": asked.network_id,
        }
        if name not in BUILTIN_NETWORKS:
            view |= _names(container, asked, api)
    if endpoint is not None:
        view |= {
            "MacAddress": endpoint.mac_address,
            "NetworkID": endpoint.network_id,
            "EndpointID": endpoint.endpoint_id,
            "Gateway": endpoint.gateway,
            "IPAddress": endpoint.ipv4,
            "IPPrefixLen": endpoint.prefix_length,
            "IPv6Gateway": endpoint.ipv6_gateway,
            "GlobalIPv6Address": endpoint.ipv6,
            "GlobalIPv6PrefixLen": endpoint.ipv6_prefix_length,
        }
    for name_of_field, since in _FIELDS_SINCE.items():
        if api < since:
            del view[name_of_field]
    return view


def _names(container: Container, asked: EndpointSettings, api: ApiVersion) -> Json:
    """Return what a container is called on a user-defined network.

    What is implied, its id and its host name, counts once the container has been there.
    """
    if not asked.network_id:
        return {"Aliases": asked.aliases, "DNSNames": None}
    aliases, implied = asked.aliases or [], (container.short_id, container.config.hostname)
    names = list(dict.fromkeys(filter(None, [container.name, *aliases, *implied])))
    # Before they had a field of their own, implied names were told among the aliases.
    told = list(dict.fromkeys(filter(None, [*aliases, *implied])))
    return {"Aliases": told if api < (1, 45) else asked.aliases, "DNSNames": names}


def exposed_ports(container: Container) -> list[tuple[int, str]]:
    """Return the ports that the config exposes, as (number, protocol)."""
    pairs = (text.partition("/") for text in container.config.exposed_ports or {})
    return [(int(number), protocol or "tcp") for number, _, protocol in pairs]


def ports_view(ctx: EngineContext, container: Container) -> Json:
    """Return `NetworkSettings.Ports`: published ports, and exposed ones with null."""
    sandbox = sandbox_of(ctx, container)
    if sandbox is None:
        return {}
    ports: Json = {f"{number}/{protocol}": None for number, protocol in exposed_ports(container)}
    for published in sandbox.published:
        key = f"{published.container_port}/{published.protocol}"
        binding = {"HostIp": published.host_ip, "HostPort": str(published.host_port or "")}
        ports[key] = [*(ports.get(key) or ()), binding]
    return dict(sorted(ports.items()))


def port_list(ctx: EngineContext, container: Container) -> list[Json]:
    """Return `Ports` of the list: one entry for every binding, then what is only exposed."""
    sandbox = sandbox_of(ctx, container)
    if sandbox is None:
        return []
    published = [_published_entry(port) for port in sandbox.published]
    bound = {(port.container_port, port.protocol) for port in sandbox.published}
    exposed = [
        {"PrivatePort": number, "Type": protocol}
        for number, protocol in exposed_ports(container)
        if (number, protocol) not in bound
    ]
    return [*published, *exposed]


def _published_entry(port: PublishedPort) -> Json:
    return {
        "IP": port.host_ip,
        "PrivatePort": port.container_port,
        **({"PublicPort": port.host_port} if port.host_port else {}),
        "Type": port.protocol,
    }


def link_names(ctx: EngineContext) -> dict[str, list[str]]:
    """Return the names that containers have by links of others: `/container/alias`, by id."""
    found: dict[str, list[str]] = {}
    for container in ctx.registry:
        for alias, target_id in container.record.links.items():
            found.setdefault(target_id, []).append(f"/{container.name}/{alias}")
    return {target_id: sorted(names) for target_id, names in found.items()}


def shown_links(ctx: EngineContext, container: Container) -> list[str] | None:
    """Return `HostConfig.Links` of inspect."""
    if container.network_mode != _DEFAULT_NETWORK:
        return container.host_config.links
    found = [
        f"/{target.name if (target := ctx.registry.get(target_id)) else target_id}"
        f":/{container.name}/{alias}"
        for alias, target_id in container.record.links.items()
    ]
    return found or None
