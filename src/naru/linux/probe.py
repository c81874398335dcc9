"""What this kernel and the installed tools can do, found once at the engine's start.

Fills `specgen.facts.HostFacts` and chooses the default runtime. Blocking, some ten milliseconds:
it runs each runtime once to ask its version.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from naru.errors import NotSupportedError, ToolFailedError
from naru.linux import cgroup, mountinfo, process
from naru.oci.runtime_spec import RLIMITS, UNLIMITED, capability_names
from naru.specgen.facts import DeviceNode, HostFacts, ToolBuild

# docker-init is Docker's own build of tini.
INIT_PROGRAMS: Final = ("docker-init", "tini-static", "tini", "catatonit")
RUNTIMES: Final = ("crun", "runc")
_SEARCH_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_VERSION: Final = re.compile(r"version:?\s+(\S+)")
_COMMIT: Final = re.compile(r"(?:^commit:\s+|- git\.)(\S+)", re.MULTILINE)
_VERSION_TIMEOUT_S: Final = 10.0
# Deep enough for /dev/bus/usb/001/001; a hostile tree cannot keep us busy.
_MAX_DEVICES: Final = 4096


def find_program(*names: str) -> str:
    """Return the path of the first of these programs that is installed; "" if none is."""
    path = f"{os.environ.get('PATH', '')}:{_SEARCH_PATH}"
    return next((found for name in names if (found := shutil.which(name, path=path))), "")


def default_runtime(installed: Mapping[str, str], *, crun_suits: bool | None = None) -> str:
    """Choose among runtimes (name to path): crun where it can work, else runc.

    Call `linux.cgroup.prepare` first: it may make crun work.

    Raises:
        NotSupportedError: neither is installed.
    """
    suits = cgroup.suits_crun() if crun_suits is None else crun_suits
    if "crun" in installed and (suits or "runc" not in installed):
        return "crun"
    if "runc" in installed:
        return "runc"
    raise NotSupportedError("no OCI runtime is installed", hint="install the package crun, or runc")


def installed_runtimes() -> dict[str, str]:
    """Return the known runtimes that are installed, name to path."""
    return {name: path for name in RUNTIMES if (path := find_program(name))}


def host_facts(data_root: Path) -> HostFacts:
    """Look at the machine. `data_root` says which filesystem layers are on; it must exist."""
    version = cgroup.version()
    controllers = cgroup.controllers()
    status = _status()
    name, os_version = _operating_system(_read("/etc/os-release"))
    return HostFacts(
        # An effective capability outside the bounding set cannot be handed on.
        capabilities=capability_names(
            int(status.get("CapEff", "0"), 16) & int(status.get("CapBnd", "0"), 16)
        ),
        rlimits=hard_limits(),
        cgroup_version=version,
        memory_limit="memory" in controllers,
        swap_limit=_has_swap_limit(version),
        cpu_limit="cpu" in controllers,
        # Version 2 has no groups of real-time processes.
        cpu_realtime=(cgroup.ROOT / "cpu" / "cpu.rt_runtime_us").exists(),
        cpuset="cpuset" in controllers,
        pids_limit="pids" in controllers,
        blkio_weight=_has_blkio_weight(version),
        blkio_throttle=("blkio" if version == 1 else "io") in controllers,
        cpuset_cpus=_ranges(_read("/sys/devices/system/cpu/online")),
        cpuset_mems=_ranges(_read("/sys/devices/system/node/online")) or frozenset({0}),
        cpus=len(os.sched_getaffinity(0)),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        architecture=platform.machine(),
        kernel_version=platform.release(),
        operating_system=name,
        os_version=os_version,
        seccomp=Path("/proc/sys/kernel/seccomp").exists() or "Seccomp" in status,
        apparmor=_read("/sys/module/apparmor/parameters/enabled").startswith("Y"),
        selinux=Path("/sys/fs/selinux/enforce").exists(),
        init_path=find_program(*INIT_PROGRAMS),
        thermal_paths=_thermal_paths(_ranges(_read("/sys/devices/system/cpu/possible"))),
        backing_filesystem=filesystem_of(data_root),
        builds=tool_builds(),
        warnings=_warnings(controllers, version),
        find_devices=device_nodes,
    )


def hard_limits() -> dict[str, int]:
    """Return the hard limits that the engine itself lives under, by Docker's names."""
    limits = {}
    for name in RLIMITS:
        number = getattr(resource, f"RLIMIT_{name.upper()}", None)
        if number is not None:
            hard = resource.getrlimit(number)[1]
            limits[name] = UNLIMITED if hard == resource.RLIM_INFINITY else hard
    return limits


def device_nodes(path: str) -> tuple[DeviceNode, ...]:
    """Return the device at `path`, or all devices below it if it is a directory.

    A link is followed to a device, which then appears under the link's own name; links inside a
    directory are passed over, as are filesystems mounted there. What is neither a device nor a
    directory comes back without a type.
    """
    if (node := _device_node(path, follow=True)) is not None:
        return (node,)
    top = os.path.normpath(path)
    if os.path.lexists(top) and not os.path.isdir(top):
        return (DeviceNode(top, "", 0, 0),)
    found: list[DeviceNode] = []
    for directory, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not os.path.ismount(f"{directory}/{name}")]
        for name in sorted(names):
            inner = _device_node(f"{directory}/{name}", follow=False)
            if inner is not None:
                found.append(inner)
        if len(found) >= _MAX_DEVICES:
            break
    return tuple(found[:_MAX_DEVICES])


def _device_node(path: str, *, follow: bool) -> DeviceNode | None:
    try:
        status = os.stat(path, follow_symlinks=follow)
    except OSError:
        return None
    if stat.S_ISCHR(status.st_mode):
        kind = "c"
    elif stat.S_ISBLK(status.st_mode):
        kind = "b"
    else:
        return None
    return DeviceNode(
        path=os.path.normpath(path),
        type=kind,
        major=os.major(status.st_rdev),
        minor=os.minor(status.st_rdev),
        mode=stat.S_IMODE(status.st_mode),
        uid=status.st_uid,
        gid=status.st_gid,
    )


def filesystem_of(path: Path) -> str:
    """Return the type of the filesystem that holds `path`, such as `ext4`."""
    wanted = os.path.realpath(path)
    best, kind = "", ""
    for entry in mountinfo.mounts():
        point = str(entry.target)
        inside = wanted == point or wanted.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, entry.type
    return kind


def tool_builds() -> dict[str, ToolBuild]:
    """Return what the installed runtimes, conmon and the init say of themselves, by file name."""
    init = os.path.basename(find_program(*INIT_PROGRAMS))
    builds = {}
    for name in (*RUNTIMES, "conmon", *([init] if init else ())):
        if path := find_program(name):
            try:
                completed = process.run_blocking([path, "--version"], timeout=_VERSION_TIMEOUT_S)
            except ToolFailedError:
                builds[name] = ToolBuild()
                continue
            builds[name] = parse_build(completed.stdout.decode(errors="replace"))
    return builds


def parse_build(text: str) -> ToolBuild:
    """Read what a tool prints for `--version`; "" for what it does not say."""
    version, commit = _VERSION.search(text), _COMMIT.search(text)
    known = commit[1] if commit else ""
    return ToolBuild(version[1] if version else "", "" if known == "unknown" else known)


def _has_swap_limit(version: int) -> bool:
    if version == 1:
        return (cgroup.ROOT / "memory" / "memory.memsw.limit_in_bytes").exists()
    # The root group has no limits; the group of this process shows whether there are any.
    own = cgroup.ROOT / cgroup.own_cgroup(2).strip("/")
    return (own / "memory.swap.max").exists() or Path("/proc/swaps").exists()


def _has_blkio_weight(version: int) -> bool:
    if version == 1:
        return (cgroup.ROOT / "blkio" / "blkio.weight").exists()
    return (cgroup.ROOT / cgroup.own_cgroup(2).strip("/") / "io.weight").exists()


def _warnings(controllers: frozenset[str], version: int) -> tuple[str, ...]:
    found = [
        f"WARNING: No {what} support"
        for controller, what in (
            ("memory", "memory limit"),
            ("cpu", "cpu cfs quota"),
            ("cpuset", "cpuset"),
            ("pids", "pids limit"),
        )
        if controller not in controllers
    ]
    if "memory" in controllers and not _has_swap_limit(version):
        found.append("WARNING: No swap limit support")
    return tuple(found)


def _operating_system(text: str) -> tuple[str, str]:
    values = dict(
        line.split("=", 1) for line in text.splitlines() if "=" in line and line[:1] != "#"
    )
    name = values.get("PRETTY_NAME", values.get("NAME", "Linux"))
    return name.strip("\"'"), values.get("VERSION_ID", "").strip("\"'")


def _thermal_paths(processors: frozenset[int]) -> tuple[str, ...]:
    paths = (f"/sys/devices/system/cpu/cpu{n}/thermal_throttle" for n in sorted(processors))
    return tuple(path for path in paths if os.path.exists(path))


def _status() -> dict[str, str]:
    lines = _read("/proc/self/status").splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def _ranges(text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.strip().split(",") if text.strip() else ():
        first, _, last = part.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
