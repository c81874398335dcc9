"""What an update makes of a container's host configuration and of its limits. Pure.

Spec: Engine API 1.50, ContainerUpdate; moby, Container.UpdateContainer, for rules and texts.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from naru.api.host_config import HostConfig, Resources, RestartPolicy
from naru.errors import ConflictError, InvalidInputError
from naru.oci.runtime_spec import Json

# Taken over where they are not zero.
_UPDATED: Final = (
    "blkio_weight",
    "cpu_shares",
    "nano_cpus",
    "cpu_period",
    "cpu_quota",
    "cpu_realtime_period",
    "cpu_realtime_runtime",
    "cpuset_cpus",
    "cpuset_mems",
    "memory",
    "memory_swap",
    "memory_reservation",
)
_LIMITS: Final = frozenset(
    "memory.limit memory.swap memory.reservation cpu.shares cpu.quota cpu.realtimeRuntime"
    " cpu.cpus cpu.mems pids.limit".split()
)
_SWAP_TOO_SMALL: Final = (
    "Memory limit should be smaller than already set memoryswap limit, "
    "update the memoryswap at the same time"
)


def updated(current: HostConfig, asked: Resources, policy: RestartPolicy) -> HostConfig:
    """Return the configuration after an update; `current` stays as it is.

    Raises:
        ConflictError: what is asked for does not go with what is in force.
        InvalidInputError: it asks for a change of what is fixed at creation.
    """
    _check_conflicts(current, asked)
    changes: dict[str, Any] = {
        name: value for name in _UPDATED if (value := getattr(asked, name)) not in (0, "")
    }
    if asked.pids_limit is not None:
        changes["pids_limit"] = asked.pids_limit if asked.pids_limit > 0 else None
    if policy.name:
        if current.auto_remove and policy.name != "no":
            raise ConflictError(
                "Restart policy cannot be updated because AutoRemove is enabled for the container"
            )
        changes["restart_policy"] = policy
    _refuse_fixed(current, asked)
    return msgspec.structs.replace(current, **changes)


def lifted(before: Json | None, after: Json) -> frozenset[str]:
    """Name the limits, such as `memory.limit`, that the runtime spec had and has no longer.

    Without `before` those are all that an update could have set.
    """
    return (_LIMITS if before is None else _limits(before)) - _limits(after)


def _limits(resources: Json) -> frozenset[str]:
    return frozenset(f"{part}.{limit}" for part, limits in resources.items() for limit in limits)


def _check_conflicts(current: HostConfig, asked: Resources) -> None:
    for new, old, name, other in (
        (asked.nano_cpus, current.cpu_period, "Nano CPUs", "CPU Period"),
        (asked.nano_cpus, current.cpu_quota, "Nano CPUs", "CPU Quota"),
        (asked.cpu_period, current.nano_cpus, "CPU Period", "NanoCPUs"),
        (asked.cpu_quota, current.nano_cpus, "CPU Quota", "NanoCPUs"),
    ):
        if new > 0 and old > 0:
            raise ConflictError(
                f"Conflicting options: {name} cannot be updated as {other} has already been set"
            )
    if asked.memory and asked.memory > current.memory_swap and not asked.memory_swap:
        raise ConflictError(_SWAP_TOO_SMALL)


def _refuse_fixed(current: HostConfig, asked: Resources) -> None:
    """Refuse what cannot change, unless it asks for what is there already."""
    blank = Resources()
    for field in msgspec.structs.fields(Resources):
        if field.name in _UPDATED or field.name == "pids_limit":
            continue
        value = getattr(asked, field.name)
        if value in (getattr(blank, field.name), getattr(current, field.name), []):
            continue
        raise InvalidInputError(f"{field.encode_name} cannot be updated")
