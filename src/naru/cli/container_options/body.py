"""The body of `POST /containers/create`, from the options of `run` and `create`.

Spec: docker/cli, cli/command/container/opts.go; every field that docker sends is sent, in the
same form, so that an engine cannot tell the two clients apart.
"""

from __future__ import annotations

from naru.errors import InvalidInputError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from naru.cli.invocation import OptionValues

    Json = dict[str, Any]

# Value of a namespace option, whether `container:…` may stand there, and the error's word.
_MODES = (
    ("pid", ("", "host"), True, "PID"),
    ("uts", ("", "host"), False, "UTS"),
    ("userns", ("", "host"), False, "USER"),
    ("cgroupns", ("", "host", "private"), False, "CGROUP"),
)


def create_body(options: OptionValues, args: list[str], environ: Mapping[str, str]) -> Json:
    """Return the whole body; `args` are the image and the command.

    Raises:
        InvalidInputError: options that cannot be, in Docker's words.
    """
    _check(options)
    binds, volumes = _volumes(options)
    bindings = _port_bindings(options)
    exposed = dict.fromkeys((*bindings, *_exposed(options)))
    mode, endpoints = _networks(options)
    body = _config(options, args, environ)
    body["Volumes"] = volumes
    if exposed:
        body["ExposedPorts"] = {port: {} for port in exposed}
    host = _host_config(options)
    host["Binds"] = binds or None
    host["PortBindings"] = bindings
    host["NetworkMode"] = mode
    body["HostConfig"] = host
    body["NetworkingConfig"] = {"EndpointsConfig": endpoints}
    return body


def _check(options: OptionValues) -> None:
    swappiness = options["memory-swappiness"]
    if swappiness != -1 and not 0 <= swappiness <= 100:
        raise InvalidInputError(
            f"invalid value: {swappiness}. Valid memory swappiness range is 0-100"
        )
    for name, values, takes_container, word in _MODES:
        value = options[name]
        is_container = takes_container and value.startswith("container:") and value[10:]
        if value not in values and not is_container:
            raise InvalidInputError(f"--{name}: invalid {word} mode")


def _attached(options: OptionValues) -> tuple[bool, bool, bool]:
    """Say which of stdin, stdout and stderr are attached."""
    wanted = options["attach"]
    stdin = "stdin" in wanted or options["interactive"]
    return stdin, "stdout" in wanted or not wanted, "stderr" in wanted or not wanted


def _config(options: OptionValues, args: list[str], environ: Mapping[str, str]) -> Json:
    stdin, stdout, stderr = _attached(options)
    entrypoint = [options["entrypoint"]] if options.changed("entrypoint") else None
    config: Json = {
        "Hostname": options["hostname"],
        "Domainname": options["domainname"],
        "User": options["user"],
        "AttachStdin": stdin,
        "AttachStdout": stdout,
        "AttachStderr": stderr,
        "Tty": options["tty"],
        "OpenStdin": options["interactive"],
        "StdinOnce": options["interactive"] and stdin,
        "Env": _variables(options, environ) or None,
        "Cmd": args[1:] or None,
        "Image": args[0],
        "WorkingDir": options["workdir"],
        "Entrypoint": entrypoint,
        "OnBuild": None,
        "Labels": _labels(options),
    }
    if options["stop-signal"]:
        config["StopSignal"] = options["stop-signal"]
    if options.changed("stop-timeout"):
        config["StopTimeout"] = options["stop-timeout"]
    if options["no-healthcheck"] or any(
        options.changed(name)
        for name in (
            "health-cmd",
            "health-interval",
            "health-timeout",
            "health-retries",
            "health-start-period",
            "health-start-interval",
            "health-on-failure",
        )
    ):
        from naru.cli.container_options.limits import read_health_check

        if check := read_health_check(options):
            config["Healthcheck"] = check
    return config


def _host_config(options: OptionValues) -> Json:
    host: Json = {
        "ContainerIDFile": options["cidfile"],
        "LogConfig": _log_config(options),
        "RestartPolicy": _restart_policy(options),
        "AutoRemove": options["rm"],
        "VolumeDriver": options["volume-driver"],
        "VolumesFrom": options["volumes-from"] or None,
        "ConsoleSize": [0, 0],
        "CgroupnsMode": options["cgroupns"],
        "Dns": options["dns"],
        "DnsOptions": options["dns-option"],
        "DnsSearch": options["dns-search"],
        "ExtraHosts": options["add-host"] or None,
        "GroupAdd": options["group-add"] or None,
        "IpcMode": options["ipc"],
        "Cgroup": "",
        "Links": options["link"] or None,
        "OomScoreAdj": options["oom-score-adj"],
        "PidMode": options["pid"],
        "Privileged": options["privileged"],
        "PublishAllPorts": options["publish-all"],
        "ReadonlyRootfs": options["read-only"],
        "UTSMode": options["uts"],
        "UsernsMode": options["userns"],
        "ShmSize": options["shm-size"],
        "Isolation": options["isolation"],
        **_resources(options),
        **_security(options),
    }
    if options.changed("init"):
        host["Init"] = options["init"]
    if options["runtime"]:
        host["Runtime"] = options["runtime"]
    if options["mount"]:
        host["Mounts"] = options["mount"]
    if options["tmpfs"]:
        from naru.cli.container_options.mounts import read_tmpfs

        host["Tmpfs"] = read_tmpfs(options["tmpfs"])
    _add_maps(host, options)
    if host["AutoRemove"] and host["RestartPolicy"]["Name"] not in ("", "no"):
        raise InvalidInputError("conflicting options: cannot specify both --restart and --rm")
    return host


def _resources(options: OptionValues) -> Json:
    devices, requests = _devices(options)
    ulimits = {limit["Name"]: limit for limit in options["ulimit"]}
    return {
        "CpuShares": options["cpu-shares"],
        "Memory": options["memory"],
        "NanoCpus": options["cpus"],
        "CgroupParent": options["cgroup-parent"],
        "BlkioWeight": options["blkio-weight"],
        "BlkioWeightDevice": options["blkio-weight-device"],
        "BlkioDeviceReadBps": options["device-read-bps"],
        "BlkioDeviceWriteBps": options["device-write-bps"],
        "BlkioDeviceReadIOps": options["device-read-iops"],
        "BlkioDeviceWriteIOps": options["device-write-iops"],
        "CpuPeriod": options["cpu-period"],
        "CpuQuota": options["cpu-quota"],
        "CpuRealtimePeriod": options["cpu-rt-period"],
        "CpuRealtimeRuntime": options["cpu-rt-runtime"],
        "CpusetCpus": options["cpuset-cpus"],
        "CpusetMems": options["cpuset-mems"],
        "Devices": devices,
        "DeviceCgroupRules": options["device-cgroup-rule"] or None,
        "DeviceRequests": requests or None,
        "MemoryReservation": options["memory-reservation"],
        "MemorySwap": options["memory-swap"],
        "MemorySwappiness": options["memory-swappiness"],
        "OomKillDisable": options["oom-kill-disable"],
        "PidsLimit": options["pids-limit"],
        "Ulimits": [ulimits[name] for name in sorted(ulimits)],
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
    }


def _security(options: OptionValues) -> Json:
    added: list[str] | None = None
    dropped: list[str] | None = None
    kept: list[str] | None = None
    paths: list[str] | None = None
    if options["cap-add"] or options["cap-drop"]:
        from naru.cli.container_options.security import full_capability_names

        added = full_capability_names(options["cap-add"])
        dropped = full_capability_names(options["cap-drop"])
    if options["security-opt"]:
        from naru.cli.container_options.security import read_security_options

        kept, has_open_paths = read_security_options(options["security-opt"])
        paths = [] if has_open_paths else None
    return {
        "CapAdd": added,
        "CapDrop": dropped,
        "SecurityOpt": kept,
        "MaskedPaths": paths,
        "ReadonlyPaths": paths,
    }


def _add_maps(host: Json, options: OptionValues) -> None:
    """Add the maps that are left out when they are empty."""
    for field, name in (
        ("StorageOpt", "storage-opt"),
        ("Sysctls", "sysctl"),
        ("Annotations", "annotation"),
    ):
        if given := options[name]:
            from naru.cli.container_options.environment import to_map

            if field == "StorageOpt" and not all("=" in text for text in given):
                raise InvalidInputError("invalid storage option")
            host[field] = to_map(given)


def _log_config(options: OptionValues) -> Json:
    driver, given = options["log-driver"], options["log-opt"]
    if not given:
        return {"Type": driver, "Config": {}}
    from naru.cli.container_options.environment import to_map

    if driver == "none":
        raise InvalidInputError(f"invalid logging opts for driver {driver}")
    return {"Type": driver, "Config": to_map(given)}


def _restart_policy(options: OptionValues) -> Json:
    text = options["restart"]
    if text in ("", "no"):
        return {"Name": text, "MaximumRetryCount": 0}
    from naru.cli.container_options.limits import read_restart_policy

    return read_restart_policy(text)


def _variables(options: OptionValues, environ: Mapping[str, str]) -> list[str]:
    if not options["env"] and not options["env-file"]:
        return []
    from naru.cli.container_options.environment import read_variables

    return read_variables(options["env-file"], options["env"], environ)


def _labels(options: OptionValues) -> dict[str, str]:
    if not options["label"] and not options["label-file"]:
        return {}
    from naru.cli.container_options.environment import read_labels

    return read_labels(options["label-file"], options["label"])


def _volumes(options: OptionValues) -> tuple[list[str], dict[str, dict[str, str]]]:
    if not options["volume"]:
        return [], {}
    from naru.cli.container_options.mounts import read_volumes

    return read_volumes(options["volume"])


def _port_bindings(options: OptionValues) -> dict[str, list[dict[str, str]]]:
    if not options["publish"]:
        return {}
    from naru.cli.container_options.ports import read_published

    return read_published(options["publish"])


def _exposed(options: OptionValues) -> list[str]:
    if not options["expose"]:
        return []
    from naru.cli.container_options.ports import read_exposed

    return read_exposed(options["expose"])


def _devices(options: OptionValues) -> tuple[list[dict[str, str]], list[Json]]:
    requests: list[Json] = list(options["gpus"])
    if not options["device"]:
        return [], requests
    from naru.cli.container_options.devices import read_devices

    devices, names = read_devices(options["device"])
    if names:
        requests.append(
            {
                "Driver": "cdi",
                "Count": 0,
                "DeviceIDs": names,
                "Capabilities": None,
                "Options": None,
            }
        )
    return devices, requests


def _networks(options: OptionValues) -> tuple[str, dict[str, Json]]:
    from naru.cli.container_options.networks import read_networks

    return read_networks(options)
