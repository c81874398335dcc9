"""Which host configurations are refused at creation, in Docker's words; and its adjustments. Pure.

Fields that are understood but cannot be honoured are refused too: nothing is ignored in silence.

Spec: Engine API 1.50, HostConfig; the texts are those of dockerd 28.
"""

from __future__ import annotations

from typing import Final

from naru.api.host_config import HostConfig, Resources, RestartPolicy
from naru.errors import InvalidInputError, NotSupportedError
from naru.specgen.devices import check_devices, device_rules
from naru.specgen.facts import HostFacts
from naru.specgen.mounts import tmpfs_options
from naru.specgen.process import rlimits
from naru.specgen.security import capabilities_of, check_capabilities, parse_security_options

_MIN_MEMORY: Final = 6 << 20
_MIN_SHARES, _MAX_SHARES = 2, 262_144
_NANO: Final = 10**9
_RESTART_POLICIES: Final = ("no", "always", "on-failure", "unless-stopped")
_NO_SUPPORT: Final = "or the cgroup is not mounted."


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
    if host_config.storage_opt:
        raise NotSupportedError(
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option"
        )
    if host_config.cpu_realtime_period or host_config.cpu_realtime_runtime:
        raise NotSupportedError("real-time scheduling of containers is not supported")
    if host_config.userns_mode not in ("", "host"):
        raise NotSupportedError(f"user namespace mode {host_config.userns_mode} is not supported")
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
    check_capabilities(host_config)
    capabilities_of(host_config, facts)
    parse_security_options(host_config.security_opt or ())
    rlimits(host_config.ulimits or (), {}, facts)
    device_rules(host_config.device_cgroup_rules or ())
    check_devices(host_config.devices or ())
    for destination, options in (host_config.tmpfs or {}).items():
        if not destination.startswith("/"):
            raise InvalidInputError(
                f"invalid mount path: '{destination}' mount path must be absolute"
            )
        tmpfs_options(options.split(","))


def validate_resources(asked: Resources, facts: HostFacts) -> list[str]:
    """Check limits and adjust them in place; also for an update. Returns warnings.

    Raises:
        InvalidInputError: with Docker's words.
    """
    return [
        *_check_memory(asked, facts),
        *_check_cpu(asked, facts),
        *_check_cpuset(asked, facts),
        *_check_others(asked, facts),
    ]


def _check_memory(asked: Resources, facts: HostFacts) -> list[str]:
    warnings = []
    if asked.memory and asked.memory < _MIN_MEMORY:
        raise InvalidInputError("Minimum memory limit allowed is 6MB")
    if asked.memory and not facts.memory_limit:
        warnings.append(
            "Your kernel does not support memory limit capabilities "
            f"{_NO_SUPPORT} Limitation discarded."
        )
        asked.memory, asked.memory_swap = 0, -1
    if asked.memory > 0 and asked.memory_swap == 0:
        asked.memory_swap = 2 * asked.memory
    if asked.memory > 0 and asked.memory_swap != -1 and not facts.swap_limit:
        warnings.append(
            f"Your kernel does not support swap limit capabilities {_NO_SUPPORT} "
            "Memory limited without swap."
        )
        asked.memory_swap = -1
    if asked.memory > 0 and 0 < asked.memory_swap < asked.memory:
        raise InvalidInputError(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if asked.memory == 0 and asked.memory_swap > 0:
        raise InvalidInputError(
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        )
    warnings += _check_swappiness(asked, facts)
    if 0 < asked.memory_reservation < _MIN_MEMORY:
        raise InvalidInputError("Minimum memory reservation allowed is 6MB")
    if 0 < asked.memory < asked.memory_reservation:
        raise InvalidInputError(
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        )
    if asked.oom_kill_disable and facts.cgroup_version == 2:
        warnings.append("Your kernel does not support OomKillDisable. OomKillDisable discarded.")
        asked.oom_kill_disable = None
    elif asked.oom_kill_disable is None and facts.cgroup_version == 1:
        asked.oom_kill_disable = False
    return warnings


def _check_swappiness(asked: Resources, facts: HostFacts) -> list[str]:
    swappiness = asked.memory_swappiness
    if swappiness is None or swappiness == -1:
        asked.memory_swappiness = None
        return []
    if not 0 <= swappiness <= 100:
        raise InvalidInputError(
            f"Invalid value: {swappiness}, valid memory swappiness range is 0-100"
        )
    if facts.cgroup_version == 2:
        asked.memory_swappiness = None
        return [
            (
                f"Your kernel does not support memory swappiness capabilities {_NO_SUPPORT} "
                "Memory swappiness discarded."
            )
        ]
    return []


def _check_cpu(asked: Resources, facts: HostFacts) -> list[str]:
    if asked.nano_cpus > 0 and asked.cpu_period > 0:
        raise InvalidInputError("Conflicting options: Nano CPUs and CPU Period cannot both be set")
    if asked.nano_cpus > 0 and asked.cpu_quota > 0:
        raise InvalidInputError("Conflicting options: Nano CPUs and CPU Quota cannot both be set")
    if asked.nano_cpus and not facts.cpu_limit:
        raise InvalidInputError(
            "NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler "
            "or the cgroup is not mounted"
        )
    # Ten milliseconds of a hundred is all that a limit below 0.01 could mean.
    smallest = _NANO // 100
    if asked.nano_cpus and not smallest <= asked.nano_cpus <= facts.cpus * _NANO:
        raise InvalidInputError(
            f"Range of CPUs is from 0.01 to {facts.cpus}.00, "
            f"as there are only {facts.cpus} CPUs available"
        )
    warnings = []
    if not facts.cpu_limit and (asked.cpu_shares or asked.cpu_period or asked.cpu_quota):
        warnings.append(f"Your kernel does not support CPU limits {_NO_SUPPORT} Limits discarded.")
        asked.cpu_shares = asked.cpu_period = asked.cpu_quota = 0
    if asked.cpu_period and not 1000 <= asked.cpu_period <= 1_000_000:
        raise InvalidInputError(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)"
        )
    if 0 < asked.cpu_quota < 1000:
        raise InvalidInputError("CPU cfs quota can not be less than 1ms (i.e. 1000)")
    if asked.cpu_shares < 0:
        asked.cpu_shares = _MIN_SHARES
    elif asked.cpu_shares > _MAX_SHARES:
        asked.cpu_shares = _MAX_SHARES
    return warnings


def _check_cpuset(asked: Resources, facts: HostFacts) -> list[str]:
    if (asked.cpuset_cpus or asked.cpuset_mems) and not facts.cpuset:
        asked.cpuset_cpus = asked.cpuset_mems = ""
        return [f"Your kernel does not support cpuset {_NO_SUPPORT} Cpuset discarded."]
    for text, what, thing, available in (
        (asked.cpuset_cpus, "cpuset cpus", "CPUs", facts.cpuset_cpus),
        (asked.cpuset_mems, "cpuset mems", "memory nodes", facts.cpuset_mems),
    ):
        wanted = _numbers(text, what)
        if available and not wanted <= available:
            raise InvalidInputError(
                f"Requested {thing} are not available - requested {text}, "
                f"available: {print_ranges(available)}"
            )
    return []


def _numbers(text: str, what: str) -> frozenset[int]:
    try:
        return parse_ranges(text)
    except ValueError as error:
        raise InvalidInputError(f"Invalid value {text} for {what}: {error}") from error


def parse_ranges(text: str) -> frozenset[int]:
    """Read a list of numbers as the kernel writes it: `0-2,5`.

    Raises:
        ValueError: it is none.
    """
    found: set[int] = set()
    for part in text.split(",") if text else ():
        first, dash, last = part.partition("-")
        if not (first.isascii() and first.isdigit()) or len(last or first) > 6:
            raise ValueError(f"invalid format: {part}")
        if dash and not (last.isascii() and last.isdigit() and int(last) >= int(first)):
            raise ValueError(f"invalid format: {part}")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def print_ranges(numbers: frozenset[int]) -> str:
    """Print numbers the way `parse_ranges` reads them."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _check_others(asked: Resources, facts: HostFacts) -> list[str]:
    warnings = []
    if asked.pids_limit is not None and asked.pids_limit > 0 and not facts.pids_limit:
        warnings.append(
            f"Your kernel does not support PIDs limit capabilities {_NO_SUPPORT} "
            "PIDs limit discarded."
        )
        asked.pids_limit = None
    if asked.blkio_weight and not facts.blkio_weight:
        warnings.append(
            f"Your kernel does not support Block I/O weight {_NO_SUPPORT} Weight discarded."
        )
        asked.blkio_weight = 0
    if asked.blkio_weight and not 10 <= asked.blkio_weight <= 1000:
        raise InvalidInputError("Range of blkio weight is from 10 to 1000")
    if asked.blkio_weight_device and not facts.blkio_weight:
        warnings.append(
            f"Your kernel does not support Block I/O weight_device {_NO_SUPPORT} "
            "Weight-device discarded."
        )
        asked.blkio_weight_device = None
    return warnings


def _quoted(text: str) -> str:
    return f'"{text}"'
