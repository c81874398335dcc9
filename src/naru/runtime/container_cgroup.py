"""A container's control group: memory that ran out, processes in it, limits beside the runtime's.

The engine's door to `linux.cgroup` and `linux.cgroup_limits`. Blocking, under a millisecond.
"""

from __future__ import annotations

from collections.abc import Container

from naru.errors import NaruError
from naru.linux import cgroup, cgroup_limits
from naru.runtime.bundle import Bundle, read_spec


def oom_killed(bundle: Bundle) -> bool:
    """Say whether the kernel killed a process of the container for want of memory.

    Ask before the container is deleted from the runtime: its counter goes with its group. The
    file that conmon leaves is the second source.
    """
    if bundle.oom_file.exists():
        return True
    path = cgroups_path(bundle)
    return bool(path) and cgroup.oom_kills(path) > 0


def cgroups_path(bundle: Bundle) -> str:
    """Return the group that the bundle's spec names; "" without a bundle."""
    try:
        linux = read_spec(bundle).get("linux")
    except NaruError:
        return ""
    path = linux.get("cgroupsPath") if isinstance(linux, dict) else None
    return path if isinstance(path, str) and path.strip("/") else ""


def remove(path: str) -> bool:
    """Remove a group that the runtime left behind; False if processes are in it. Idempotent."""
    return cgroup.remove(path)


def lift(path: str, limits: Container[str]) -> None:
    """Take limits away that the runtime does not, named as `memory.limit`. Idempotent.

    Raises:
        FaultError: the kernel refused.
    """
    cgroup_limits.lift(path, limits)


def provide_realtime(path: str, runtime_us: int, period_us: int) -> None:
    """Set the group's part of the real-time scheduler, and see to it that there is enough.

    Raises:
        InvalidInputError: there is not.
    """
    cgroup_limits.provide_realtime(path, runtime_us, period_us)
