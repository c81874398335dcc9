"""From rows to answers: the only place where a container becomes the API's JSON.

Spec: Engine API 1.50, definitions ContainerInspectResponse, ContainerSummary, MountPoint.
"""

from __future__ import annotations

import msgspec

from naru.api.container_config import OPTIONAL_KEYS
from naru.api.version import ApiVersion
from naru.engine.container_log import json_path
from naru.engine.context import EngineContext
from naru.engine.health_rule import Health
from naru.engine.model import Container, Json, MountRecord
from naru.engine.views.graph_driver import graph_driver_view
from naru.engine.views.networks import network_settings_view, shown_links
from naru.specgen.security import hidden_paths, parse_security_options
from naru.units import ZERO_TIME, print_rfc3339

# Docker's structs leave these out where they are empty, and clients tell absent from null.
_OPTIONAL_HOST_CONFIG = ("Annotations", "Tmpfs", "StorageOpt", "Sysctls", "Mounts", "Init")
_NEVER_STORED = ("KernelMemory", "KernelMemoryTCP")
# And of these Docker's client library never leaves a null.
_LISTS = ("Dns", "DnsOptions", "DnsSearch", "Devices", "BlkioWeightDevice")
_MAPS = ("PortBindings",)


def container_attributes(container: Container, **more: str) -> dict[str, str]:
    """Return what events say of a container: image, name, labels."""
    return {
        **(container.config.labels or {}),
        "image": container.record.image_name,
        "name": container.name,
        **more,
    }


def health_view(health: Health) -> Json:
    """Return the `Health` of a state."""
    return {
        "Status": health.status,
        "FailingStreak": health.failing_streak,
        "Log": [
            {
                "Start": print_rfc3339(result.start_ns),
                "End": print_rfc3339(result.end_ns),
                "ExitCode": result.exit_code,
                "Output": result.output,
            }
            for result in health.log
        ],
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
        **({"Health": health_view(state.health)} if state.health else {}),
    }


def mount_view(mount: MountRecord) -> Json:
    """Return one entry of `Mounts`."""
    is_volume = mount.type == "volume"
    return {
        "Type": mount.type,
        **({"Name": mount.name} if mount.name else {}),
        "Source": mount.name if mount.type == "image" else mount.source,
        "Destination": mount.destination,
        **({"Driver": mount.driver} if is_volume else {}),
        "Mode": mount.mode,
        "RW": mount.read_write,
        "Propagation": mount.propagation,
    }


def mounts_view(container: Container) -> list[Json]:
    """Return `Mounts`; what `--tmpfs` asked for is shown in HostConfig only, as in Docker."""
    shown = (m for m in container.record.mounts if m.destination not in _tmpfs(container))
    return [mount_view(mount) for mount in shown]


def _tmpfs(container: Container) -> dict[str, str]:
    return container.host_config.tmpfs or {}


def inspect_view(ctx: EngineContext, container: Container, api: ApiVersion) -> Json:
    """Return the whole of `GET /containers/{id}/json`, sizes aside."""
    argv = container.config.argv()
    folder = ctx.config.container_dir(container.id)
    # Docker makes the file at the first start.
    keeps_log = container.host_config.log_config.type == "json-file" and container.state.started_ns
    return {
        "Id": container.id,
        "Created": print_rfc3339(container.record.created_ns),
        "Path": argv[0],
        "Args": argv[1:],
        "State": state_view(container),
        "Image": container.record.image_id,
        "ResolvConfPath": f"{folder}/resolv.conf",
        "HostnamePath": f"{folder}/hostname",
        "HostsPath": f"{folder}/hosts",
        "LogPath": str(json_path(ctx, container)) if keeps_log else "",
        "Name": f"/{container.name}",
        "RestartCount": container.state.restart_count,
        "Driver": ctx.config.storage_driver,
        "Platform": "linux",
        "MountLabel": "",
        "ProcessLabel": "",
        "AppArmorProfile": _apparmor_profile(ctx, container),
        "ExecIDs": ctx.execs.ids_of(container.id) or None,
        "HostConfig": host_config_view(ctx, container) | {"Links": shown_links(ctx, container)},
        "GraphDriver": graph_driver_view(ctx, container),
        "Mounts": mounts_view(container),
        "Config": config_view(container),
        "NetworkSettings": network_settings_view(ctx, container, api),
    }


def host_config_view(ctx: EngineContext, container: Container) -> Json:
    """Return `HostConfig` of inspect."""
    view: Json = msgspec.to_builtins(container.host_config)
    _drop_empty(view, _OPTIONAL_HOST_CONFIG)
    for name in _NEVER_STORED:
        del view[name]
    for name in _LISTS:
        view[name] = view[name] or []
    for name in _MAPS:
        view[name] = view[name] or {}
    for name in ("CapAdd", "CapDrop"):
        view[name] = [view[name]] if isinstance(view[name], str) else view[name]
    view["ConsoleSize"] = view["ConsoleSize"] or [0, 0]
    if not container.host_config.privileged:
        hidden = hidden_paths(container.host_config, ctx.facts)
        view |= {"MaskedPaths": hidden["maskedPaths"], "ReadonlyPaths": hidden["readonlyPaths"]}
    view["LogConfig"]["Config"] = view["LogConfig"]["Config"] or {}
    return view


def host_summary_view(container: Container, api: ApiVersion) -> Json:
    """Return the `HostConfig` of the list."""
    view: Json = {"NetworkMode": container.host_config.network_mode}
    if api >= (1, 46) and container.host_config.annotations:
        view["Annotations"] = container.host_config.annotations
    return view


def config_view(container: Container) -> Json:
    """Return `Config` of inspect."""
    view: Json = msgspec.to_builtins(container.config)
    _drop_empty(view, OPTIONAL_KEYS)
    if "Healthcheck" in view:
        view["Healthcheck"] = {k: v for k, v in view["Healthcheck"].items() if v}
    view["Labels"] = view["Labels"] or {}
    return view


def _drop_empty(view: Json, names: tuple[str, ...]) -> None:
    for name in names:
        # False and zero count as given for Init and StopTimeout, which are null when they are not.
        if view[name] in (None, "", [], {}) or (view[name] is False and name != "Init"):
            del view[name]


def _apparmor_profile(ctx: EngineContext, container: Container) -> str:
    """Return the profile in force, as far as there can be one."""
    host_config = container.host_config
    if not ctx.facts.apparmor:
        return ""
    asked = parse_security_options(host_config.security_opt or ()).apparmor or ""
    return asked or ("unconfined" if host_config.privileged else "")
