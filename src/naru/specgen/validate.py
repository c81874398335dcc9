"""Which host configurations are refused at creation, in Docker's words; and its adjustments. Pure.

Fields that are understood but cannot be honoured are refused too: nothing is ignored in silence.

Spec: Engine API 1.50, HostConfig; the texts are those of dockerd 28.
"""

from __future__ import annotations

from typing import Final

from naru.api.host_config import HostConfig, RestartPolicy
from naru.errors import InvalidInputError, NotSupportedError
from naru.specgen.devices import check_devices, device_rules
from naru.specgen.facts import HostFacts
from naru.specgen.mounts import tmpfs_options
from naru.specgen.process import rlimits
from naru.specgen.resource_checks import check_cgroup_parent, layer_limit, validate_resources
from naru.specgen.security import (
    capabilities_of,
    check_capabilities,
    check_labels,
    parse_security_options,
)

_RESTART_POLICIES: Final = ("no", "always", "on-failure", "unless-stopped")
PORTS_DISCARDED = "Published ports are discarded when using host network mode"


def validate_host_config(host_config: HostConfig, facts: HostFacts) -> list[str]:
    """Check a new container's host configuration, and fill in what Docker fills in.

    The configuration is changed in place: swap becomes twice the memory where it was left open,
    and limits that the kernel does not have are taken out. Returns Docker's warnings.

    Raises:
        InvalidInputError: a value that is wrong by itself, or together with another.
        NotSupportedError: a field that we do not honour.
    """
    refuse_unsupported(host_config)
    _check_modes(host_config)
    check_restart_policy(host_config.restart_policy, auto_remove=host_config.auto_remove)
    _check_options(host_config, facts)
    warnings = validate_resources(host_config, facts)
    if host_config.oom_kill_disable and not host_config.memory:
        warnings.append(
            "OOM killer is disabled for the container, but no memory limit is set, "
            "this can result in the system running out of resources."
        )
    if host_config.network_mode == "host" and host_config.port_bindings:
        warnings.append(PORTS_DISCARDED)
    return warnings


def refuse_unsupported(host_config: HostConfig) -> None:
    """Refuse the fields that nothing behind them honours.

    Raises:
        InvalidInputError, NotSupportedError: with Docker's words where Docker has some.
    """
    if host_config.isolation not in ("", "default"):
        raise InvalidInputError(
            f"Invalid isolation: {_quoted(host_config.isolation)} - linux only supports 'default'"
        )
    if host_config.userns_mode not in ("", "host"):
        raise InvalidInputError(f"invalid USER mode: {host_config.userns_mode}")
    if host_config.cgroup:
        raise NotSupportedError(f"cgroup mode {host_config.cgroup} is not supported")


def _check_modes(host_config: HostConfig) -> None:
    for value, what, plain in (
        (host_config.pid_mode, "PID", ("", "host")),
        (host_config.ipc_mode, "IPC", ("", "none", "host", "private", "shareable")),
    ):
        kind, colon, name = value.partition(":")
        is_joined = kind == "container" and bool(colon) and bool(name)
        if value not in plain and not is_joined:
            raise InvalidInputError(f"invalid {what} mode: {value}")
    if host_config.uts_mode not in ("", "host"):
        raise InvalidInputError(f"invalid UTS mode: {host_config.uts_mode}")
    if host_config.cgroupns_mode not in ("", "host", "private"):
        raise InvalidInputError(f"invalid cgroup namespace mode: {host_config.cgroupns_mode}")


def check_restart_policy(policy: RestartPolicy, *, auto_remove: bool) -> None:
    """Refuse a restart policy that is none.

    Raises:
        InvalidInputError: it is not, or it clashes with removal at the end.
    """
    if policy.name and policy.name not in _RESTART_POLICIES:
        known = "', '".join(_RESTART_POLICIES[:-1])
        raise InvalidInputError(
            f"invalid restart policy: unknown policy '{policy.name}'; "
            f"use one of '{known}', or '{_RESTART_POLICIES[-1]}'"
        )
    count = policy.maximum_retry_count
    if policy.name == "on-failure":
        if count < 0:
            raise InvalidInputError(
                "invalid restart policy: maximum retry count cannot be negative"
            )
    elif count and policy.name:
        negative = " and cannot be negative" if count < 0 else ""
        raise InvalidInputError(
            "invalid restart policy: maximum retry count can only be used with 'on-failure'"
            f"{negative}"
        )
    if auto_remove and policy.name not in ("", "no"):
        raise InvalidInputError("can't create 'AutoRemove' container with restart policy")


def _check_options(host_config: HostConfig, facts: HostFacts) -> None:
    if not -1000 <= host_config.oom_score_adj <= 1000:
        raise InvalidInputError(
            f"Invalid value {host_config.oom_score_adj}, range for oom score adj is [-1000, 1000]"
        )
    if host_config.shm_size < 0:
        raise InvalidInputError("SHM size can not be less than 0")
    check_cgroup_parent(host_config.cgroup_parent)
    layer_limit(host_config)
    check_capabilities(host_config)
    capabilities_of(host_config, facts)
    check_labels(parse_security_options(host_config.security_opt or ()), facts)
    rlimits(host_config.ulimits or (), {}, facts)
    device_rules(host_config.device_cgroup_rules or ())
    check_devices(host_config.devices or ())
    for destination, options in (host_config.tmpfs or {}).items():
        if not destination.startswith("/"):
            raise InvalidInputError(
                f"invalid mount path: '{destination}' mount path must be absolute"
            )
        tmpfs_options(options.split(","))


def _quoted(text: str) -> str:
    return f'"{text}"'
