"""From rows to answers: the only place where a container becomes the API's JSON.

Spec: Engine API 1.50, definitions ContainerInspectResponse, ContainerSummary, MountPoint.
"""

from __future__ import annotations

from typing import Any

import msgspec

from naru.engine.attachments import log_path
from naru.engine.context import EngineContext
from naru.engine.model import Container, MountRecord
from naru.network.networks import Endpoint, PublishedPort
from naru.units import ZERO_TIME, print_rfc3339

Json = dict[str, Any]
ApiVersion = tuple[int, int]


def container_attributes(container: Container, **more: str) -> dict[str, str]:
    """Return what events say of a container: image, name, labels."""
    return {
        **(container.config.labels or {}),
        "image": container.record.image_name,
        "name": container.name,
        **more,
    }


def state_view(container: Container) -> Json:
    """Return the `State` of inspect."""
    state = container.state
    return {
        "Status": state.status,
        "Running": state.status in ("running", "paused", "restarting"),
        "Paused": state.status == "paused",
        "Restarting": state.status == "restarting",
        "OOMKilled": state.oom_killed,
        "Dead": state.status == "dead",
        "Pid": state.pid,
        "ExitCode": state.exit_code,
        "Error": state.error,
        "StartedAt": print_rfc3339(state.started_ns),
        "FinishedAt": print_rfc3339(state.finished_ns) if state.finished_ns else ZERO_TIME,
    }


def mount_view(mount: MountRecord) -> Json:
    """Return one entry of `Mounts`."""
    view: Json = {"Type": mount.type}
    if mount.type == "volume":
        view["Name"] = mount.name
    view["Source"] = mount.source
    view["Destination"] = mount.destination
    if mount.type == "volume":
        view["Driver"] = mount.driver
    view["Mode"] = mount.mode
    view["RW"] = mount.read_write
    view["Propagation"] = mount.propagation
    return view


def endpoint_view(container: Container, name: str, endpoint: Endpoint | None) -> Json:
    """Return one entry of `NetworkSettings.Networks`; a stopped container has no addresses."""
    asked = container.record.endpoints.get(name)
    view = {
        "IPAMConfig": msgspec.to_builtins(asked.ipam_config) if asked else None,
        "Links": asked.links if asked else None,
        "Aliases": asked.aliases if asked else None,
        "MacAddress": (asked.mac_address if asked else "") or "",
        "DriverOpts": asked.driver_opts if asked else None,
        "GwPriority": asked.gw_priority if asked else 0,
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
    if endpoint is not None:
        view |= {
            "MacAddress": endpoint.mac_address,
            "NetworkID": endpoint.network_id,
            "EndpointID": endpoint.endpoint_id,
            "Gateway": endpoint.gateway,
            "IPAddress": endpoint.ipv4,
            "IPPrefixLen": endpoint.prefix_length,
        }
    return view


def networks_view(ctx: EngineContext, container: Container) -> Json:
    """Return `NetworkSettings.Networks`."""
    sandbox = ctx.networks.sandbox(container.id) if container.is_running else None
    live = {endpoint.network_name: endpoint for endpoint in (sandbox.endpoints if sandbox else ())}
    names = dict.fromkeys([*container.record.endpoints, *live])
    return {name: endpoint_view(container, name, live.get(name)) for name in names}


def ports_view(ctx: EngineContext, container: Container) -> dict[str, list[Json] | None]:
    """Return `NetworkSettings.Ports`: published ports, and exposed ones with null."""
    sandbox = ctx.networks.sandbox(container.id) if container.is_running else None
    if sandbox is None:
        return {}
    ports: dict[str, list[Json] | None] = {
        port if "/" in port else f"{port}/tcp": None
        for port in container.config.exposed_ports or {}
    }
    for published in sandbox.published:
        key = f"{published.container_port}/{published.protocol}"
        bindings = ports.get(key) or []
        bindings.append({"HostIp": published.host_ip, "HostPort": str(published.host_port)})
        ports[key] = bindings
    return dict(sorted(ports.items()))


def port_list(ctx: EngineContext, container: Container) -> list[Json]:
    """Return `Ports` of the list: one entry for every binding, sorted as clients expect."""
    sandbox = ctx.networks.sandbox(container.id) if container.is_running else None
    if sandbox is None:
        return []
    published = [_published_entry(port) for port in sandbox.published]
    bound = {(entry["PrivatePort"], entry["Type"]) for entry in published}
    exposed = []
    for port in container.config.exposed_ports or {}:
        number, _, protocol = port.partition("/")
        if (int(number), protocol or "tcp") not in bound:
            exposed.append({"PrivatePort": int(number), "Type": protocol or "tcp"})
    return [*published, *exposed]


def _published_entry(port: PublishedPort) -> Json:
    return {
        "IP": port.host_ip,
        "PrivatePort": port.container_port,
        "PublicPort": port.host_port,
        "Type": port.protocol,
    }


def inspect_view(ctx: EngineContext, container: Container, api: ApiVersion) -> Json:
    """Return the whole of `GET /containers/{id}/json`, sizes aside."""
    argv = container.config.argv()
    folder = ctx.config.container_dir(container.id)
    log_driver = container.host_config.log_config.type
    execs = ctx.execs.ids_of(container.id)
    view: Json = {
        "Id": container.id,
        "Created": print_rfc3339(container.record.created_ns),
        "Path": argv[0],
        "Args": argv[1:],
        "State": state_view(container),
        "Image": container.record.image_id,
        "ResolvConfPath": str(folder / "resolv.conf"),
        "HostnamePath": str(folder / "hostname"),
        "HostsPath": str(folder / "hosts"),
        "LogPath": str(log_path(folder)) if log_driver == "json-file" else "",
        "Name": f"/{container.name}",
        "RestartCount": container.state.restart_count,
        "Driver": ctx.config.storage_driver,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": "",
        "ExecIDs": execs or None,
        "HostConfig": host_config_view(container),
        "GraphDriver": {"Name": ctx.config.storage_driver, "Data": None},
        "Mounts": [mount_view(m) for m in container.record.mounts if m.type != "tmpfs"],
        "Config": config_view(container, api),
        "NetworkSettings": _network_settings(ctx, container, api),
    }
    return view


def host_config_view(container: Container) -> Json:
    """Return `HostConfig` with the lists that Docker never leaves null."""
    view: Json = msgspec.to_builtins(container.host_config)
    for name in ("Dns", "DnsOptions", "DnsSearch", "Devices", "BlkioWeightDevice"):
        view[name] = view[name] or []
    for name in ("CapAdd", "CapDrop"):
        if isinstance(view[name], str):
            view[name] = [view[name]]
    view["ConsoleSize"] = view["ConsoleSize"] or [0, 0]
    view["PortBindings"] = view["PortBindings"] or {}
    view["LogConfig"]["Config"] = view["LogConfig"]["Config"] or {}
    return view


# Shown only where they were given, as omitempty does in Docker's own structs.
_OPTIONAL_CONFIG = (
    "ExposedPorts",
    "Healthcheck",
    "ArgsEscaped",
    "NetworkDisabled",
    "MacAddress",
    "StopSignal",
    "StopTimeout",
    "Shell",
)
_OPTIONAL_HOST_CONFIG = ("Annotations", "Tmpfs", "StorageOpt", "Sysctls", "Mounts", "Init")


def config_view(container: Container, api: ApiVersion) -> Json:
    """Return `Config`; the MAC address moved to the endpoint with API 1.44."""
    view: Json = msgspec.to_builtins(container.config)
    for name in _OPTIONAL_CONFIG:
        if not view[name] and view[name] != 0:
            del view[name]
    if not view.get("MacAddress"):
        view.pop("MacAddress", None)
    for name in ("ArgsEscaped", "NetworkDisabled"):
        if name in view and not view[name]:
            del view[name]
    view["Labels"] = view["Labels"] or {}
    return view


def _network_settings(ctx: EngineContext, container: Container, api: ApiVersion) -> Json:
    networks = networks_view(ctx, container)
    sandbox = ctx.networks.sandbox(container.id) if container.is_running else None
    default = networks.get("bridge", {})
    view: Json = {
        "Bridge": "",
        "SandboxID": container.id if sandbox else "",
        "SandboxKey": str(sandbox.netns_path) if sandbox else "",
        "Ports": ports_view(ctx, container),
        "HairpinMode": False,
        "LinkLocalIPv6Address": "",
        "LinkLocalIPv6PrefixLen": 0,
        "SecondaryIPAddresses": None,
        "SecondaryIPv6Addresses": None,
        "EndpointID": default.get("EndpointID", ""),
        "Gateway": default.get("Gateway", ""),
        "GlobalIPv6Address": "",
        "GlobalIPv6PrefixLen": 0,
        "IPAddress": default.get("IPAddress", ""),
        "IPPrefixLen": default.get("IPPrefixLen", 0),
        "IPv6Gateway": "",
        "MacAddress": default.get("MacAddress", ""),
        "Networks": networks,
    }
    return view


def host_summary_view(container: Container, api: ApiVersion) -> Json:
    """Return the `HostConfig` of the list."""
    view: Json = {"NetworkMode": container.host_config.network_mode}
    if api >= (1, 46) and container.host_config.annotations:
        view["Annotations"] = container.host_config.annotations
    return view
