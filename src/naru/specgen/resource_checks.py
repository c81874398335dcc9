"""Which limits are refused, and which are adjusted or taken out with a warning. Pure.

For new containers and for updates of old ones; the texts are those of dockerd 28.

Spec: Engine API 1.50, Resources; moby, verifyPlatformContainerResources and validateResources.
"""

from __future__ import annotations

from typing import Final

from naru.api.host_config import HostConfig, Resources
from naru.errors import InvalidInputError
from naru.specgen.facts import HostFacts
from naru.units import parse_bytes

_MIN_MEMORY: Final = 6 << 20
_MIN_SHARES, _MAX_SHARES = 2, 262_144
_NANO: Final = 10**9
_THROTTLES: Final = {
    "blkio_device_read_bps": ("BPS", "read"),
    "blkio_device_write_bps": ("BPS", "write"),
    "blkio_device_read_iops": ("IOPS", "read"),
    "blkio_device_write_iops": ("IOPS", "write"),
}
# Of a directory; longer ones no file system has.
_MAX_NAME: Final = 255
_NO_SUPPORT: Final = "or the cgroup is not mounted."


def validate_resources(asked: Resources, facts: HostFacts, *, is_update: bool = False) -> list[str]:
    """Check limits and adjust them in place. Returns warnings.

    An update may speak of swap alone, and does not double memory into swap: what else is in
    force it does not know.

    Raises:
        InvalidInputError: with Docker's words.
    """
    return [
        *_check_memory(asked, facts, is_update=is_update),
        *_check_kernel_memory(asked),
        *_check_cpu(asked, facts),
        *_check_realtime(asked, facts),
        *_check_cpuset(asked, facts),
        *_check_others(asked, facts),
    ]


def layer_limit(host_config: HostConfig) -> int:
    """Return the bytes that the writable layer may take, as `--storage-opt size=` says; 0: any.

    Raises:
        InvalidInputError: it is no size, or there is another option.
    """
    size = 0
    for name, value in (host_config.storage_opt or {}).items():
        if name.lower() != "size":
            raise InvalidInputError(f"Unknown option {name}")
        size = parse_bytes(value)
        if size <= 0:
            raise InvalidInputError(f"invalid size: '{value}'")
    return size


def check_cgroup_parent(parent: str) -> None:
    """Refuse what is no path of groups, or names a slice of systemd's.

    Raises:
        InvalidInputError: it does.
    """
    words = parent.split("/")
    if any(word in (".", "..") or len(word) > _MAX_NAME or "\0" in word for word in words):
        raise InvalidInputError(f"invalid cgroup-parent {parent!r}: not a path of control groups")
    if parent.endswith(".slice") and len(words) == 1:
        raise InvalidInputError(
            f"cgroup-parent {parent} is a slice of systemd, and the cgroup driver is cgroupfs",
            hint=f"give the path of a control group, such as /{parent}",
        )


def _check_memory(asked: Resources, facts: HostFacts, *, is_update: bool) -> list[str]:
    warnings = []
    if asked.memory and asked.memory < _MIN_MEMORY:
        raise InvalidInputError("Minimum memory limit allowed is 6MB")
    if asked.memory and not facts.memory_limit:
        warnings.append(
            "Your kernel does not support memory limit capabilities "
            f"{_NO_SUPPORT} Limitation discarded."
        )
        asked.memory, asked.memory_swap = 0, -1
    if asked.memory > 0 and asked.memory_swap == 0 and not is_update:
        asked.memory_swap = 2 * asked.memory
    if asked.memory > 0 and asked.memory_swap > 0 and not facts.swap_limit:
        warnings.append(
            f"Your kernel does not support swap limit capabilities {_NO_SUPPORT} "
            "Memory limited without swap."
        )
        asked.memory_swap = -1
    if asked.memory > 0 and 0 < asked.memory_swap < asked.memory:
        raise InvalidInputError(
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        )
    if asked.memory == 0 and asked.memory_swap > 0 and not is_update:
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
    elif asked.oom_kill_disable is None and facts.cgroup_version == 1 and not is_update:
        asked.oom_kill_disable = False
    return warnings


def _check_kernel_memory(asked: Resources) -> list[str]:
    """Take out a limit that no kernel since 5.16 enforces, and that API 1.42 forgot."""
    if not (asked.kernel_memory or asked.kernel_memory_tcp):
        return []
    warnings = []
    if asked.kernel_memory > 0:
        warnings.append(
            f"Your kernel does not support kernel memory limit capabilities {_NO_SUPPORT} "
            "Limitation discarded."
        )
    if asked.kernel_memory_tcp > 0:
        warnings.append(
            f"Your kernel does not support kernel memory TCP limit capabilities {_NO_SUPPORT} "
            "Limitation discarded."
        )
    asked.kernel_memory = asked.kernel_memory_tcp = 0
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
    if asked.cpu_shares and asked.cpu_shares < _MIN_SHARES:
        raise InvalidInputError(f"the minimum allowed cpu-shares is {_MIN_SHARES}")
    if asked.cpu_shares > _MAX_SHARES:
        raise InvalidInputError(f"the maximum allowed cpu-shares is {_MAX_SHARES}")
    return warnings


def _check_realtime(asked: Resources, facts: HostFacts) -> list[str]:
    period, runtime = asked.cpu_realtime_period, asked.cpu_realtime_runtime
    if (period or runtime) and not facts.cpu_realtime:
        raise InvalidInputError("Your kernel does not support CPU real-time scheduler")
    if period < 0 or runtime < 0:
        raise InvalidInputError("cpu real-time period and runtime cannot be negative")
    if period and runtime > period:
        raise InvalidInputError("cpu real-time runtime cannot be higher than cpu real-time period")
    return []


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
    for name, what in _THROTTLES.items():
        if getattr(asked, name) and not facts.blkio_throttle:
            kind, direction = what
            warnings.append(
                f"Your kernel does not support {kind} Block I/O {direction} limit {_NO_SUPPORT} "
                f"Block I/O {kind} {direction} limit discarded."
            )
            setattr(asked, name, None)
    if asked.blkio_weight_device and not facts.blkio_weight:
        warnings.append(
            f"Your kernel does not support Block I/O weight_device {_NO_SUPPORT} "
            "Weight-device discarded."
        )
        asked.blkio_weight_device = None
    return warnings
