"""What Docker's Go client knows about the shape of the API's answers, and JSON does not say.

Templates of `inspect` are written against Go structs: their fields exist when the answer leaves
them out, some are spelled otherwise than in JSON, and they print without names. This module
marks JSON objects accordingly. Spec: docker, api/types (the json tags).
"""

from __future__ import annotations

from naru.cli.template.values import GoStruct, NilList, NilMap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# Objects under these keys are maps with free keys; all others are structs.
_MAPS = frozenset(
    (
        "Annotations",
        "Attributes",
        "Containers",
        "Data",
        "Details",
        "DriverOpts",
        "EndpointsConfig",
        "ExposedPorts",
        "IndexConfigs",
        "Labels",
        "Networks",
        "Options",
        "PortBindings",
        "Ports",
        "Runtimes",
        "Services",
        "Status",
        "StorageOpt",
        "Sysctls",
        "Tmpfs",
        "Volumes",
    )
)
# `LogConfig.Config` is a map, the `Config` of a container or an image is not.
_MAPS_IN = {("LogConfig", "Config"): True, ("IPAM", "Options"): True}
_NIL_POINTERS = frozenset(
    (
        "Health",
        "Healthcheck",
        "IPAMConfig",
        "Init",
        "MemorySwappiness",
        "OomKillDisable",
        "PidsLimit",
        "Platform",
        "Reservation",
        "SizeRootFs",
        "SizeRw",
        "StopTimeout",
        "Usage",
    )
)
_SPELLINGS = {
    "BlkioWeightDevice": "BlkioWeightDevice",
    "CPUCount": "CpuCount",
    "CPUPercent": "CpuPercent",
    "CPUPeriod": "CpuPeriod",
    "CPUQuota": "CpuQuota",
    "CPURealtimePeriod": "CpuRealtimePeriod",
    "CPURealtimeRuntime": "CpuRealtimeRuntime",
    "CPUShares": "CpuShares",
    "DNS": "Dns",
    "DNSOptions": "DnsOptions",
    "DNSSearch": "DnsSearch",
    "Digest": "digest",
    "From": "from",
    "MediaType": "mediaType",
    "NanoCPUs": "NanoCpus",
    "Scope": "scope",
    "Size": "size",
    "Status": "status",
    "Time": "time",
    "TimeNano": "timeNano",
}
# Fields that answers leave out when they are empty, by a key that marks the struct.
_OPTIONAL: dict[str, dict[str, object]] = {
    "OOMKilled": {"Health": None},
    "AttachStdin": {
        "ArgsEscaped": False,
        "ExposedPorts": NilMap(),
        "Healthcheck": None,
        "MacAddress": "",
        "NetworkDisabled": False,
        "Shell": NilList(),
        "StopSignal": "",
        "StopTimeout": None,
    },
    "NetworkMode": {
        "Annotations": NilMap(),
        "Capabilities": NilList(),
        "Init": None,
        "Mounts": NilList(),
        "StorageOpt": NilMap(),
        "Sysctls": NilMap(),
        "Tmpfs": NilMap(),
    },
    "HostnamePath": {
        "GraphDriver": None,
        "ImageManifestDescriptor": None,
        "Node": None,
        "SizeRootFs": None,
        "SizeRw": None,
    },
    "RepoTags": {
        "Author": "",
        "Comment": "",
        "Config": None,
        "Container": "",
        "ContainerConfig": None,
        "Created": "",
        "Descriptor": None,
        "DockerVersion": "",
        "Manifests": NilList(),
        "OsVersion": "",
        "Parent": "",
        "Variant": "",
        "VirtualSize": 0,
    },
    "Mountpoint": {"ClusterVolume": None, "CreatedAt": "", "Status": NilMap(), "UsageData": None},
    "EnableIPv6": {"EnableIPv4": False, "Peers": NilList(), "Services": NilMap()},
    "timeNano": {"status": "", "id": "", "from": "", "scope": ""},
}


# From API 1.50 on an image's config has only what is set, so that no key marks it.
_IMAGE_CONFIG: dict[str, object] = {
    "ArgsEscaped": False,
    "Cmd": NilList(),
    "Entrypoint": NilList(),
    "Env": NilList(),
    "ExposedPorts": NilMap(),
    "Healthcheck": None,
    "Labels": NilMap(),
    "OnBuild": NilList(),
    "Shell": NilList(),
    "StopSignal": "",
    "User": "",
    "Volumes": NilMap(),
    "WorkingDir": "",
}


class _ImageConfig(GoStruct):
    """The config of an image."""


def as_go(value: Any, key: str = "", parent: str = "") -> Any:
    """Mark an answer: objects become structs or maps, nulls what they are in Go."""
    if isinstance(value, dict):
        is_map = key in _MAPS or (parent, key) in _MAPS_IN
        inner = {name: as_go(item, "" if is_map else name, key) for name, item in value.items()}
        if "RepoTags" in inner and isinstance(inner.get("Config"), GoStruct):
            inner["Config"] = _ImageConfig(inner["Config"])
        return inner if is_map else GoStruct(inner)
    if isinstance(value, list):
        return [as_go(item, "", key) for item in value]
    if value is None and key and key not in _NIL_POINTERS:
        return NilMap() if key in _MAPS else NilList()
    return value


def missing_field(struct: dict[str, Any], name: str) -> object:
    """Return the field of a struct that its JSON spells otherwise or leaves out.

    Raises:
        KeyError: there is no such field.
    """
    if name == "ID":
        for spelled in ("Id", "id"):
            if spelled in struct:
                return struct[spelled]
    spelled = _SPELLINGS.get(name, "")
    if spelled in struct:
        return struct[spelled]
    if isinstance(struct, _ImageConfig) and name in _IMAGE_CONFIG:
        return _IMAGE_CONFIG[name]
    for mark, optional in _OPTIONAL.items():
        if mark in struct:
            if name in optional:
                return optional[name]
            if spelled in optional:
                return optional[spelled]
            if name == "ID" and "id" in optional:
                return optional["id"]
    raise KeyError(name)
