"""The bundle: one directory per container with all that the runtime and the monitor need.

Owns the layout of `<exec_root>/c/<container_id>/`, the mount of the root filesystem and the
files that say which processes belong to the container. Everything here is plain blocking code
of a few milliseconds: send it to a thread. `<exec_root>` does not survive a reboot, and nothing
in it is needed after one.
"""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from naru.errors import NotFoundError
from naru.faults import fault_point
from naru.linux import mapped_mounts, mount, process, safe_path, seccomp
from naru.linux.fs import remove_tree, write_atomic
from naru.linux.mount import Mount
from naru.runtime.user_namespaces import owner_of
from naru.specgen.id_maps import IdMaps

_AFTER_DIRECTORY = fault_point("runtime.bundle.after_directory")
_AFTER_MOUNT = fault_point("runtime.bundle.after_mount")
_AFTER_SPEC = fault_point("runtime.bundle.after_spec")
_AFTER_UNMOUNT = fault_point("runtime.bundle.after_unmount")

_MONITOR_NAME = "conmon"
# crun(1): takes the place of the spec's filter, which other runtimes read.
_COMPILED_FILTER = "run.oci.seccomp_bpf_data"


@dataclass(frozen=True, slots=True)
class Processes:
    """The two processes of a container or an exec, and when they started.

    The start times tell them from strangers that got the same pid later.
    """

    pid: int
    pid_started: int
    conmon_pid: int
    conmon_started: int

    @property
    def is_alive(self) -> bool:
        """Whether the container's own process runs."""
        return process.is_alive(self.pid, self.pid_started)

    @property
    def is_monitored(self) -> bool:
        """Whether its conmon runs."""
        return process.is_alive(self.conmon_pid, self.conmon_started)


@dataclass(frozen=True, slots=True)
class Monitored:
    """A directory that conmon works in: a container's bundle or an exec's."""

    path: Path

    @property
    def pidfile(self) -> Path:
        """Where the runtime writes the container's pid."""
        return self.path / "pidfile"

    @property
    def processes_file(self) -> Path:
        """Where we write which processes belong here."""
        return self.path / "processes"

    @property
    def attach_socket(self) -> Path:
        """The socket of conmon with the three streams."""
        return self.path / "attach"

    @property
    def control_fifo(self) -> Path:
        """The ear of conmon: requests to reopen the log."""
        return self.path / "ctl"

    @property
    def winsize_fifo(self) -> Path:
        """The other ear of conmon: sizes of the terminal."""
        return self.path / "winsz"

    @property
    def runtime_log(self) -> Path:
        """What the runtime complained of, where there is a terminal."""
        return self.path / "runtime.log"

    @property
    def exit_file(self) -> Path:
        """The copy by conmon of the exit code."""
        return self.path / "exit"

    @property
    def oom_file(self) -> Path:
        """Made by conmon when the kernel killed for want of memory."""
        return self.path / "oom"

    def write_processes(self, pid: int, conmon_pid: int) -> None:
        """Note the processes, once they are known."""
        started = process.start_time(pid) or 0
        conmon_started = process.start_time(conmon_pid) or 0
        self.processes_file.write_text(
            f"{pid} {started} {conmon_pid} {conmon_started}\n", encoding="ascii"
        )

    def processes(self) -> Processes | None:
        """Return the processes; None when none was ever started here.

        An engine that died before it could write them down left the runtime's pid file; conmon
        is the parent of the process then.
        """
        with contextlib.suppress(FileNotFoundError, ValueError):
            numbers = [int(word) for word in self.processes_file.read_bytes().split()]
            if len(numbers) == 4:
                return Processes(*numbers)
        try:
            pid = int(self.pidfile.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        parent = process.parent_of(pid)
        if parent is None or process.name_of(parent) != _MONITOR_NAME:
            return Processes(pid, 0, 0, 0)
        return Processes(pid, process.start_time(pid) or 0, parent, process.start_time(parent) or 0)


@dataclass(frozen=True, slots=True)
class Bundle(Monitored):
    """A container's directory below `exec_root`, named by its id."""

    @property
    def rootfs(self) -> Path:
        """Where the root filesystem is mounted."""
        return self.path / "rootfs"

    @property
    def shm(self) -> Path:
        """Shared memory that other containers may join, where there is any."""
        return self.path / "shm"

    @property
    def mounts(self) -> Path:
        """What `bundle_mounts` mounts for the spec to bind."""
        return self.path / "m"

    @property
    def config(self) -> Path:
        """The runtime spec."""
        return self.path / "config.json"

    @property
    def exec_root(self) -> Path:
        """The engine's directory that all bundles are in."""
        return self.path.parent.parent


def existing(exec_root: Path, container_id: str) -> Bundle:
    """Return the bundle of a container, whether it exists or not."""
    return Bundle(exec_root / "c" / container_id)


def walk(exec_root: Path) -> list[str]:
    """Return the ids of all containers that have a bundle."""
    try:
        return sorted(os.listdir(exec_root / "c"))
    except FileNotFoundError:
        return []


def create(
    exec_root: Path, container_id: str, mounts: Sequence[Mount], maps: IdMaps | None = None
) -> Bundle:
    """Make the directory and mount the root filesystem in it.

    With `maps` it belongs to the container's user namespace, which must be there. Idempotent:
    what an earlier life left behind is taken away first. If a mount fails nothing stays. The
    caller removes the bundle in the end.

    Raises:
        FaultError: the kernel refused a mount.
    """
    bundle = existing(exec_root, container_id)
    remove(exec_root, container_id)
    bundle.rootfs.mkdir(parents=True)
    bundle.path.chmod(0o700)
    if maps:
        # The runtime comes here as the container's root; nobody else of the host shall, since
        # that root's setuid programs lie below.
        os.chown(bundle.path, -1, maps.root_gid)
        bundle.path.chmod(0o710)
    _AFTER_DIRECTORY()
    mounted = False
    try:
        if maps:
            owner = owner_of(exec_root, container_id, maps)
            mapped_mounts.mount_all(mounts, bundle.rootfs, owner)
        else:
            mount.mount_all(mounts, bundle.rootfs)
        mounted = True
    finally:
        if not mounted:
            remove(exec_root, container_id)
    _AFTER_MOUNT()
    return bundle


def mount_shm(bundle: Bundle, size: int, maps: IdMaps | None = None) -> Path:
    """Mount shared memory of `size` bytes beside the root, for several containers to use.

    It goes away with the bundle.

    Raises:
        FaultError: the kernel refused.
    """
    bundle.shm.mkdir()
    flags = mount.MS_NOSUID | mount.MS_NODEV | mount.MS_NOEXEC
    ids = f",uid={maps.root_uid},gid={maps.root_gid}" if maps else ""
    mount.mount_all([Mount("tmpfs", "shm", "", flags, f"mode=1777,size={size}{ids}")], bundle.shm)
    return bundle.shm


def write_spec(bundle: Bundle, spec: dict[str, Any]) -> None:
    """Write the runtime spec, compactly, with its system call filter compiled for crun."""
    write_atomic(bundle.config, msgspec.json.encode(_with_compiled_filter(spec)), 0o600)
    _AFTER_SPEC()


def _with_compiled_filter(spec: dict[str, Any]) -> dict[str, Any]:
    filter_ = spec.get("linux", {}).get("seccomp")
    program = seccomp.compiled(filter_) if filter_ else None
    if program is None:
        return spec
    annotations = dict(spec.get("annotations") or {})
    annotations[_COMPILED_FILTER] = base64.b64encode(program).decode("ascii")
    return {**spec, "annotations": annotations}


def read_spec(bundle: Bundle) -> dict[str, Any]:
    """Return the runtime spec as it was written.

    Raises:
        NotFoundError: the container was never started since the machine did.
    """
    try:
        return msgspec.json.decode(bundle.config.read_bytes(), type=dict[str, Any])
    except FileNotFoundError as error:
        raise NotFoundError(f"container {bundle.path.name} has no bundle") from error


def remove(exec_root: Path, container_id: str) -> None:
    """Unmount the root filesystem and delete the directory. Idempotent.

    Whatever was mounted below the root filesystem goes with it.
    """
    bundle = existing(exec_root, container_id)
    if not bundle.path.exists():
        return
    mount.unmount(bundle.rootfs, lazy=True)
    mount.unmount(bundle.shm, lazy=True)
    with contextlib.suppress(FileNotFoundError):
        for entry in bundle.mounts.iterdir():
            mount.unmount(entry, lazy=True)
    _AFTER_UNMOUNT()
    remove_tree(bundle.path)


def read_rootfs_text(bundle: Bundle, path: str) -> str:
    """Return a text file of the container's root, such as `etc/passwd`; "" when there is none.

    Links are followed inside the root only. At most a megabyte is read.
    """
    return safe_path.read_text(bundle.rootfs, path) or ""
