"""`container recreate`: what the options name changes, and everything else stays."""

from __future__ import annotations

from naru.cli.batch import container_path
from naru.cli.commands.container_creation import (
    PULL_POLICIES,
    check_image,
    is_missing_image,
    pull,
    pull_missing,
    read_platform,
    unknown_policy,
    usage_failure,
)
from naru.cli.container_options.body import create_body
from naru.cli.failure import CommandFailedError
from naru.errors import InvalidInputError, NotFoundError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from naru.cli.invocation import Invocation, OptionValues

    Json = dict[str, Any]

# The fields of the body that an option is heard in.
CONFIG_FIELDS = {
    "domainname": ("Domainname",),
    "entrypoint": ("Entrypoint",),
    "env": ("Env",),
    "env-file": ("Env",),
    "expose": ("ExposedPorts",),
    "hostname": ("Hostname",),
    "interactive": ("OpenStdin",),
    "label": ("Labels",),
    "label-file": ("Labels",),
    "publish": ("ExposedPorts",),
    "stop-signal": ("StopSignal",),
    "stop-timeout": ("StopTimeout",),
    "tty": ("Tty",),
    "user": ("User",),
    "volume": ("Volumes",),
    "workdir": ("WorkingDir",),
    **dict.fromkeys(
        (
            "health-cmd",
            "health-interval",
            "health-on-failure",
            "health-retries",
            "health-start-interval",
            "health-start-period",
            "health-timeout",
            "no-healthcheck",
        ),
        ("Healthcheck",),
    ),
}
HOST_FIELDS = {
    "add-host": ("ExtraHosts",),
    "annotation": ("Annotations",),
    "blkio-weight": ("BlkioWeight",),
    "blkio-weight-device": ("BlkioWeightDevice",),
    "cap-add": ("CapAdd",),
    "cap-drop": ("CapDrop",),
    "cgroup-parent": ("CgroupParent",),
    "cgroupns": ("CgroupnsMode",),
    "cpu-period": ("CpuPeriod",),
    "cpu-quota": ("CpuQuota",),
    "cpu-rt-period": ("CpuRealtimePeriod",),
    "cpu-rt-runtime": ("CpuRealtimeRuntime",),
    "cpu-shares": ("CpuShares",),
    "cpus": ("NanoCpus",),
    "cpuset-cpus": ("CpusetCpus",),
    "cpuset-mems": ("CpusetMems",),
    "device": ("Devices", "DeviceRequests"),
    "device-cgroup-rule": ("DeviceCgroupRules",),
    "device-read-bps": ("BlkioDeviceReadBps",),
    "device-read-iops": ("BlkioDeviceReadIOps",),
    "device-write-bps": ("BlkioDeviceWriteBps",),
    "device-write-iops": ("BlkioDeviceWriteIOps",),
    "dns": ("Dns",),
    "dns-option": ("DnsOptions",),
    "dns-search": ("DnsSearch",),
    "gpus": ("DeviceRequests",),
    "group-add": ("GroupAdd",),
    "init": ("Init",),
    "ipc": ("IpcMode",),
    "isolation": ("Isolation",),
    "link": ("Links",),
    "log-driver": ("LogConfig",),
    "log-opt": ("LogConfig",),
    "memory": ("Memory",),
    "memory-reservation": ("MemoryReservation",),
    "memory-swap": ("MemorySwap",),
    "memory-swappiness": ("MemorySwappiness",),
    "mount": ("Mounts",),
    "network": ("NetworkMode",),
    "oom-kill-disable": ("OomKillDisable",),
    "oom-score-adj": ("OomScoreAdj",),
    "pid": ("PidMode",),
    "pids-limit": ("PidsLimit",),
    "privileged": ("Privileged",),
    "publish": ("PortBindings",),
    "publish-all": ("PublishAllPorts",),
    "read-only": ("ReadonlyRootfs",),
    "restart": ("RestartPolicy",),
    "rm": ("AutoRemove",),
    "runtime": ("Runtime",),
    "security-opt": ("SecurityOpt", "MaskedPaths", "ReadonlyPaths"),
    "shm-size": ("ShmSize",),
    "storage-opt": ("StorageOpt",),
    "sysctl": ("Sysctls",),
    "tmpfs": ("Tmpfs",),
    "ulimit": ("Ulimits",),
    "userns": ("UsernsMode",),
    "uts": ("UTSMode",),
    "volume": ("Binds",),
    "volume-driver": ("VolumeDriver",),
    "volumes-from": ("VolumesFrom",),
}
# What is said of a network together with its name.
OF_NETWORK = ("ip", "ip6", "link-local-ip", "mac-address", "network-alias")
_UNSAID: dict[str, object] = {"attach": [], "cidfile": ""}
_REMOVALS = {"Env": "env-rm", "Labels": "label-rm", "Mounts": "mount-rm", "Ports": "publish-rm"}


def recreate(invocation: Invocation) -> int:
    """Change a container, and print its name."""
    from naru.cli.engine_kind import require_naru

    name, *image = invocation.args
    options = invocation.options
    try:
        body = _changes(invocation, image)
        platform = read_platform(options["platform"])
        if image:
            check_image(image[0])
    except InvalidInputError as error:
        raise usage_failure(invocation, error.message) from error
    if not body:
        raise CommandFailedError("you must provide one or more flags when using this command")
    require_naru(invocation, invocation.command.full_name)
    if image and options["pull"] == "always":
        pull(invocation, image[0], platform)
    query = {
        "platform": platform or None,
        "keep-layer": options["keep-layer"] or None,
        "wait": options["wait-timeout"] if options["wait"] else None,
        "t": options["timeout"] if options.changed("timeout") else None,
    }
    path = container_path(name, "/recreate")
    try:
        answer = invocation.client.post(path, query, body)
    except NotFoundError as error:
        if not image or not is_missing_image(error) or options["pull"] not in ("missing", ""):
            raise
        pull_missing(invocation, image[0], platform)
        answer = invocation.client.post(path, query, body)
    for warning in answer.get("Warnings") or ():
        invocation.complain(f"WARNING: {warning}")
    invocation.print(name)
    return 0


def _check(options: OptionValues, image: list[str]) -> None:
    for name in OF_NETWORK:
        if options.changed(name) and not options.changed("network"):
            raise InvalidInputError(f"--{name} needs --network: it says on which one")
    if options.changed("wait-timeout") and not options["wait"]:
        raise InvalidInputError("--wait-timeout needs --wait")
    if options["wait-timeout"] <= 0:
        raise InvalidInputError("--wait-timeout must be positive")
    if options["pull"] not in PULL_POLICIES:
        raise InvalidInputError(unknown_policy(options["pull"]))
    for name in ("keep-layer", "platform", "pull", "quiet"):
        if options.changed(name) and not image:
            raise InvalidInputError(f"--{name} needs an image")


def _changes(invocation: Invocation, image: list[str]) -> Json:
    options = invocation.options
    _check(options, image)
    whole = create_body(options.with_values(_UNSAID), image or [""], invocation.environ)
    body = _named(options, CONFIG_FIELDS, whole)
    if host := _named(options, HOST_FIELDS, whole["HostConfig"]):
        body["HostConfig"] = host
    if options.changed("network"):
        body["NetworkingConfig"] = whole["NetworkingConfig"]
    if image:
        body["Image"] = image[0]
    if image[1:]:
        body["Cmd"] = image[1:]
    removals = {field: options[name] for field, name in _REMOVALS.items() if options[name]}
    if removals:
        body["Remove"] = removals
    return body


def _named(options: OptionValues, fields: Mapping[str, tuple[str, ...]], whole: Json) -> Json:
    """Return those of the fields that an option on the line names."""
    return {
        field: whole[field]
        for name, heard in fields.items()
        if options.changed(name)
        for field in heard
        if field in whole
    }
