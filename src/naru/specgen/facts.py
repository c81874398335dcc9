"""What is known of the host: found by `linux.probe`, handed to everything here. Pure.

A value, so that specs can be made for any machine in tests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from naru.oci.runtime_spec import CAPABILITIES

ALL_CAPABILITIES = frozenset(f"CAP_{name}" for name in CAPABILITIES)


@dataclass(frozen=True, slots=True)
class DeviceNode:
    """A device of the host; `type` is `c` or `b`, `mode` the permission bits.

    Without a type it is something else that is there.
    """

    path: str
    type: str
    major: int
    minor: int
    mode: int = 0o666
    uid: int = 0
    gid: int = 0


DeviceLookup = Callable[[str], tuple[DeviceNode, ...]]


def no_devices(_: str) -> tuple[DeviceNode, ...]:
    """Find nothing: the look-up of a host without devices."""
    return ()


@dataclass(frozen=True, slots=True)
class ToolBuild:
    """What an installed program says of itself; "" for what it does not."""

    version: str = ""
    commit: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """One machine, as far as containers depend on it. Sizes are bytes."""

    # What the engine may hand on: its own capabilities, and the hard limits it lives under.
    capabilities: frozenset[str] = ALL_CAPABILITIES
    rlimits: Mapping[str, int] = field(default_factory=dict)

    cgroup_version: int = 2
    memory_limit: bool = True
    swap_limit: bool = True
    cpu_limit: bool = True
    cpu_realtime: bool = False
    cpuset: bool = True
    pids_limit: bool = True
    blkio_weight: bool = True
    blkio_throttle: bool = True
    cpuset_cpus: frozenset[int] = frozenset()
    cpuset_mems: frozenset[int] = frozenset()

    cpus: int = 1
    memory: int = 0
    architecture: str = "x86_64"
    kernel_version: str = ""
    operating_system: str = ""
    os_version: str = ""
    seccomp: bool = True
    apparmor: bool = False
    selinux: bool = False
    init_path: str = ""
    # Directories of the processors with counts of how often they grew too hot.
    thermal_paths: tuple[str, ...] = ()
    backing_filesystem: str = ""
    builds: Mapping[str, ToolBuild] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    # Gives the device at a path of the host, or all devices below a directory; () for none.
    find_devices: DeviceLookup = no_devices

    @property
    def kernel(self) -> tuple[int, int]:
        """The kernel's version as far as features depend on it."""
        words = self.kernel_version.split(".")
        try:
            return int(words[0]), int(words[1].partition("-")[0])
        except (ValueError, IndexError):
            return 0, 0

    def can_set_rlimit(self, name: str, hard: int) -> bool:
        """Say whether a process of ours may get this hard limit."""
        return "CAP_SYS_RESOURCE" in self.capabilities or hard <= self.rlimits.get(name, hard)
