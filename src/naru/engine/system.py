"""`info`, `version`, `ping`: what this engine is and what it runs on.

Spec: Engine API 1.50, definitions SystemInfo and SystemVersion.
"""

from __future__ import annotations

import os
import platform
from importlib.metadata import version as package_version

from naru.aio import in_thread
from naru.api.version import MAXIMUM, MINIMUM, ApiVersion, dotted
from naru.distribution.hosts import DOCKER_HUB
from naru.distribution.proxies import without_login
from naru.engine.context import EngineContext
from naru.engine.model import Json
from naru.engine.views.info import info_for
from naru.network.router import is_ipv4_router
from naru.oci.platform import host_platform
from naru.runtime.cdi_files import read_registry
from naru.runtime.log_driver import available_drivers
from naru.specgen.facts import HostFacts, ToolBuild
from naru.units import print_rfc3339

ENGINE_VERSION = package_version("naru-engine")


async def version(ctx: EngineContext) -> Json:
    """Return the answer of `GET /version`."""
    facts = ctx.facts
    kernel = facts.kernel_version
    build_time = print_rfc3339(int(os.stat(__file__).st_mtime) * 10**9)
    runtime = ctx.runtimes[ctx.config.default_runtime]
    return {
        "Platform": {"Name": "Naru"},
        "Components": [
            {
                "Name": "Engine",
                "Version": ENGINE_VERSION,
                "Details": {
                    "ApiVersion": dotted(MAXIMUM),
                    "Arch": host_platform().architecture,
                    "BuildTime": build_time,
                    "Experimental": "false",
                    "GitCommit": "",
                    "GoVersion": "",
                    "KernelVersion": kernel,
                    "MinAPIVersion": dotted(MINIMUM),
                    "Os": "linux",
                },
            },
            *(_component(facts, name) for name in (runtime.name, "conmon")),
            *([_component(facts, _init_name(facts))] if facts.init_path else ()),
            {
                "Name": "python",
                "Version": platform.python_version(),
                "Details": {"GitCommit": ""},
            },
        ],
        "Version": ENGINE_VERSION,
        "ApiVersion": dotted(MAXIMUM),
        "MinAPIVersion": dotted(MINIMUM),
        "GitCommit": "",
        "GoVersion": "",
        "Os": "linux",
        "Arch": host_platform().architecture,
        "KernelVersion": kernel,
        "BuildTime": build_time,
    }


async def info(ctx: EngineContext, api_version: ApiVersion) -> Json:
    """Return the answer of `GET /info`."""
    view = {
        **_counts(ctx),
        **_configured(ctx),
        **_host(ctx.facts),
        **_forwarding_and_warnings(ctx, await in_thread(ctx.networks.hindrances)),
        "NFd": len(os.listdir("/proc/self/fd")),
        "NEventsListener": ctx.events.listener_count,
        "SystemTime": print_rfc3339(ctx.clock.now_ns()),
        "RegistryConfig": _registries(ctx),
        "SecurityOptions": _security_options(ctx),
        "RuncCommit": {"ID": _build(ctx.facts, ctx.config.default_runtime).commit},
        "InitCommit": {"ID": _build(ctx.facts, _init_name(ctx.facts)).commit},
        "FirewallBackend": {"Driver": "nftables"},
        "CDISpecDirs": list(ctx.config.cdi_spec_dirs),
        "DiscoveredDevices": await in_thread(_discovered_devices, ctx),
        **_NOT_APPLICABLE,
    }
    return info_for(view, api_version)


def _build(facts: HostFacts, name: str) -> ToolBuild:
    return facts.builds.get(name) or ToolBuild()


def _component(facts: HostFacts, name: str) -> Json:
    build = _build(facts, name)
    return {"Name": name, "Version": build.version, "Details": {"GitCommit": build.commit}}


def _init_name(facts: HostFacts) -> str:
    return facts.init_path.rpartition("/")[2]


# What clients read, and what an engine without Swarm, Go and containerd says of it.
_NOT_APPLICABLE: Json = {
    "NGoroutines": 0,
    "GenericResources": None,
    "ExperimentalBuild": False,
    "Isolation": "",
    "ContainerdCommit": {"ID": ""},
    "Swarm": {
        "NodeID": "",
        "NodeAddr": "",
        "LocalNodeState": "inactive",
        "ControlAvailable": False,
        "Error": "",
        "RemoteManagers": None,
    },
}


def _counts(ctx: EngineContext) -> Json:
    statuses = [container.state.status for container in ctx.registry]
    running = statuses.count("running") + statuses.count("restarting")
    paused = statuses.count("paused")
    return {
        "Containers": len(statuses),
        "ContainersRunning": running,
        "ContainersPaused": paused,
        "ContainersStopped": len(statuses) - running - paused,
        "Images": len(ctx.images.catalog.images()),
    }


def _configured(ctx: EngineContext) -> Json:
    config, proxies = ctx.config, ctx.images.http.proxies
    return {
        "ID": config.engine_id,
        "Name": config.hostname,
        "Driver": config.storage_driver,
        "DriverStatus": [["Backing Filesystem", ctx.facts.backing_filesystem]],
        "Plugins": {
            "Volume": ctx.volumes.drivers_in_use(),
            "Network": ["bridge", "host", "ipvlan", "macvlan", "null"],
            "Authorization": None,
            "Log": available_drivers(),
        },
        "Debug": config.debug,
        "LoggingDriver": config.log_driver,
        "IndexServerAddress": "https://index.docker.io/v1/",
        "DockerRootDir": str(config.data_root),
        "HttpProxy": without_login(proxies.http),
        "HttpsProxy": without_login(proxies.https),
        "NoProxy": proxies.no_proxy,
        "Labels": list(config.labels),
        "ServerVersion": ENGINE_VERSION,
        "Runtimes": {
            name: {
                "path": str(runtime.program),
                **({"runtimeArgs": list(runtime.options)} if runtime.options else {}),
            }
            for name, runtime in ctx.runtimes.items()
        },
        "DefaultRuntime": config.default_runtime,
        # Containers always outlive the engine here.
        "LiveRestoreEnabled": True,
        **(
            {
                "DefaultAddressPools": [
                    {"Base": base, "Size": size} for base, size in config.address_pools
                ]
            }
            if config.address_pools
            else {}
        ),
    }


def _host(facts: HostFacts) -> Json:
    return {
        "MemoryLimit": facts.memory_limit,
        "SwapLimit": facts.swap_limit,
        "CpuCfsPeriod": facts.cpu_limit,
        "CpuCfsQuota": facts.cpu_limit,
        "CPUShares": facts.cpu_limit,
        "CPUSet": facts.cpuset,
        "PidsLimit": facts.pids_limit,
        "OomKillDisable": facts.cgroup_version == 1,
        "CgroupDriver": "cgroupfs",
        "CgroupVersion": str(facts.cgroup_version),
        "KernelVersion": facts.kernel_version,
        "OperatingSystem": facts.operating_system,
        "OSVersion": facts.os_version,
        "OSType": "linux",
        "Architecture": facts.architecture,
        "NCPU": facts.cpus,
        "MemTotal": facts.memory,
        "InitBinary": _init_name(facts),
    }


def _registries(ctx: EngineContext) -> Json:
    policy = ctx.images.http.hosts
    mirrors = policy.mirrored()
    insecure = policy.insecure_registries
    names = [DOCKER_HUB, *mirrors, *(text for text in insecure if "/" not in text)]
    return {
        "InsecureRegistryCIDRs": ["::1/128", "127.0.0.0/8", *(t for t in insecure if "/" in t)],
        "IndexConfigs": {
            name: {
                "Name": name,
                "Mirrors": mirrors.get(name, []),
                "Secure": not policy.is_insecure(name),
                "Official": name == DOCKER_HUB,
            }
            for name in names
        },
        "Mirrors": mirrors.get(DOCKER_HUB, []),
    }


def _discovered_devices(ctx: EngineContext) -> list[Json]:
    registry, _ = read_registry(ctx.config.cdi_spec_dirs)
    return [{"Source": "cdi", "ID": name} for name in registry.names()]


def _security_options(ctx: EngineContext) -> list[str]:
    config, facts = ctx.config, ctx.facts
    is_private = config.cgroupns_mode == "private" or (
        config.cgroupns_mode == "" and facts.cgroup_version == 2
    )
    given = (
        (facts.apparmor, "name=apparmor"),
        (facts.seccomp, f"name=seccomp,profile={config.seccomp_name}"),
        (config.id_maps is not None, "name=userns"),
        (is_private, "name=cgroupns"),
        (config.no_new_privileges, "name=no-new-privileges"),
    )
    return [text for is_on, text in given if is_on]


def _forwarding_and_warnings(ctx: EngineContext, hindrances: list[str]) -> Json:
    warnings = [*ctx.config.warnings, *ctx.facts.warnings, *hindrances]
    forwards = is_ipv4_router()
    if not forwards:
        warnings.append("WARNING: IPv4 forwarding is disabled")
    if ctx.facts.seccomp and ctx.config.seccomp_name != "builtin":
        warnings.append("WARNING: daemon is not using the default seccomp profile")
    return {"IPv4Forwarding": forwards, "Warnings": warnings or None}
