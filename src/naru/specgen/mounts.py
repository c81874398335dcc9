"""What is mounted in a container, in which order, with which options. Pure.

Spec: runtime-spec v1.0.2, config.md, Mounts; Docker's `-v`, `--mount` and `--tmpfs`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from naru.api.host_config import HostConfig
from naru.errors import InvalidInputError
from naru.oci.runtime_spec import Json
from naru.specgen.process import INIT_IN_CONTAINER

DEFAULT_SHM_BYTES: Final = 64 << 20
_PROPAGATIONS: Final = frozenset({"private", "rprivate", "shared", "rshared", "slave", "rslave"})

# Options of tmpfs that are flags, by the flag that they undo.
_OPPOSITES: Final = {
    "ro": "rw",
    "nosuid": "suid",
    "nodev": "dev",
    "noexec": "exec",
    "sync": "async",
    "dirsync": "",
    "noatime": "atime",
    "nodiratime": "diratime",
    "relatime": "norelatime",
    "strictatime": "nostrictatime",
    "mand": "nomand",
}
_FLAGS: Final = {
    **_OPPOSITES,
    **{opposite: flag for flag, opposite in _OPPOSITES.items() if opposite},
    "defaults": "",
}
_VALUES: Final = frozenset({"size", "mode", "uid", "gid", "nr_inodes", "nr_blocks", "mpol", "huge"})
# What tools such as lxcfs show in another way; nothing that the kernel or a runtime trusts.
_HARMLESS_IN_PROC: Final = frozenset(
    f"/proc/{name}"
    for name in (
        "cpuinfo diskstats meminfo stat swaps uptime loadavg slabinfo net/dev"
        " sys/kernel/ns_last_pid sys/crypto/fips_enabled"
    ).split()
)


@dataclass(frozen=True, slots=True)
class MountPoint:
    """One mount that the user asked for; `source` is a path of the host, empty for a tmpfs.

    `options` of a bind: `bind` leaves out what is mounted below the source, `rro` makes that
    read-only as well.
    """

    type: str
    source: str
    destination: str
    read_only: bool = False
    propagation: str = ""
    options: tuple[str, ...] = ()


def container_mounts(
    host_config: HostConfig,
    points: Sequence[MountPoint],
    etc_files: Mapping[str, Path],
    *,
    shm_path: Path | None = None,
    init_path: str = "",
    writable_cgroups: bool = False,
    is_mapped: bool = False,
) -> list[Json]:
    """Return all mounts in the order in which they are made: outer ones before inner ones.

    What the user mounts takes the place of what would be there by default. `is_mapped` says that
    the container has a user namespace.

    Raises:
        InvalidInputError: a destination or an option makes no sense.
    """
    asked = {posixpath.normpath(point.destination): point for point in points}
    mounts = [
        mount
        for mount in _default_mounts(host_config, shm_path, writable_cgroups=writable_cgroups)
        if not _is_replaced(mount["destination"], asked)
        # Message queues of the host are not the container's root's to mount.
        and not (is_mapped and host_config.ipc_mode == "host" and mount["type"] == "mqueue")
    ]
    others = [_from_point(point) for point in asked.values()]
    etc_access = ["ro"] if host_config.readonly_rootfs else []
    others += [
        _bind(str(path), destination, ["rbind", *etc_access, "rprivate"])
        for destination, path in etc_files.items()
        if destination not in asked
    ]
    if init_path:
        others.append(_bind(init_path, INIT_IN_CONTAINER, ["bind", "ro"]))
    return mounts + sorted(others, key=lambda mount: _depth(mount["destination"]))


def rootfs_propagation(points: Iterable[MountPoint]) -> str:
    """Return how the root must propagate so that the mounts below it may as they were asked."""
    wanted = {point.propagation for point in points}
    if wanted & {"shared", "rshared"}:
        return "shared"
    return "slave" if wanted & {"slave", "rslave"} else ""


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def _is_replaced(destination: str, asked: Mapping[str, MountPoint]) -> bool:
    return destination in asked or ("/dev" in asked and destination.startswith("/dev/"))


def _default_mounts(
    host_config: HostConfig, shm_path: Path | None, *, writable_cgroups: bool
) -> list[Json]:
    quiet = ["nosuid", "noexec", "nodev"]
    sys_mode = ["rw"] if host_config.privileged else ["ro"]
    cgroup_mode = ["rw"] if host_config.privileged or writable_cgroups else ["ro"]
    mounts = [
        _mount("proc", "proc", "/proc", quiet),
        _mount("tmpfs", "tmpfs", "/dev", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        _mount(
            "devpts",
            "devpts",
            "/dev/pts",
            ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        ),
        _mount("sysfs", "sysfs", "/sys", [*quiet, *sys_mode]),
        _mount("cgroup", "cgroup", "/sys/fs/cgroup", [*cgroup_mode, *quiet]),
        _mount("mqueue", "mqueue", "/dev/mqueue", quiet),
    ]
    if host_config.ipc_mode == "host":
        mounts.append(_bind("/dev/shm", "/dev/shm", ["rbind", "rprivate"]))  # noqa: S108  # the host's own
    elif shm_path is not None:
        mounts.append(_bind(str(shm_path), "/dev/shm", ["rbind", "rprivate"]))  # noqa: S108  # a destination
    elif host_config.ipc_mode != "none":
        size = host_config.shm_size or DEFAULT_SHM_BYTES
        options = [*quiet, "mode=1777", f"size={size}"]
        mounts.append(_mount("tmpfs", "shm", "/dev/shm", options))  # noqa: S108  # a destination
    return mounts


def _mount(kind: str, source: str, destination: str, options: list[str]) -> Json:
    return {"destination": destination, "type": kind, "source": source, "options": options}


def _bind(source: str, destination: str, options: list[str]) -> Json:
    return _mount("bind", source, destination, options)


def _from_point(point: MountPoint) -> Json:
    destination = posixpath.normpath(point.destination)
    if not destination.startswith("/") or destination.strip("/") == "":
        raise InvalidInputError(
            f"invalid mount config for type {point.type!r}: "
            f"invalid specification: destination can't be '{point.destination}'"
        )
    _check_proc(point, destination)
    if point.type == "tmpfs":
        return _mount(
            "tmpfs", "tmpfs", destination, tmpfs_options(point.options, read_only=point.read_only)
        )
    propagation = point.propagation or "rprivate"
    if propagation not in _PROPAGATIONS:
        raise InvalidInputError(f"invalid propagation mode: {propagation}")
    recursive = "rbind"
    if "bind" in point.options:
        # Nothing is mounted below it, and crun takes any recursive word for all of them.
        recursive, propagation = "bind", propagation.removeprefix("r")
    access = ["rro" if "rro" in point.options else "ro"] if point.read_only else []
    return _bind(point.source, destination, [recursive, *access, propagation])


def _check_proc(point: MountPoint, destination: str) -> None:
    """Keep /proc what it says it is: programs read there who they are and what confines them.

    Raises:
        InvalidInputError: in runc's words.
    """
    if destination == "/proc" and point.source != "/proc":
        raise InvalidInputError(
            f'"{point.source or point.type}" cannot be mounted on "/proc" because it is not of '
            "type proc"
        )
    if destination.startswith("/proc/") and destination not in _HARMLESS_IN_PROC:
        raise InvalidInputError(f'"{destination}" cannot be mounted because it is inside /proc')


def tmpfs_options(options: Iterable[str], *, read_only: bool = False) -> list[str]:
    """Return Docker's options of a tmpfs, overridden by the user's.

    Raises:
        InvalidInputError: an option that tmpfs does not have.
    """
    asked = [part for option in options for part in option.split(",") if part]
    wrong = [option for option in asked if not _is_tmpfs_option(option)]
    if wrong:
        listed = " ".join(f'"{option}"' for option in wrong)
        raise InvalidInputError(f"invalid tmpfs option [{listed}]")
    chosen: dict[str, str] = {flag: flag for flag in ("noexec", "nosuid", "nodev")}
    for option in [*asked, *(["ro"] if read_only else [])]:
        name = option.partition("=")[0]
        chosen.pop(name, None)
        chosen.pop(_FLAGS.get(name, ""), None)
        if name != "defaults":
            chosen[name] = option
    return list(chosen.values())


def _is_tmpfs_option(option: str) -> bool:
    name, equals, value = option.partition("=")
    if name in _FLAGS or name in _PROPAGATIONS:
        return not equals
    return name in _VALUES and bool(equals) and bool(value)
