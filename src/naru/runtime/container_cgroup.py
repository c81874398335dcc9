"""What a container's control group tells: memory that ran out, processes that are in it.

The engine's door to `linux.cgroup`. Blocking, under a millisecond.
"""

from __future__ import annotations

from naru.errors import NaruError
from naru.linux import cgroup
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
