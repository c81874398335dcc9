"""Control groups: which version this machine has, and reading a container's own.

Owns every path below `/sys/fs/cgroup`. Version 1 has one tree per controller, version 2 one for
all; "hybrid" machines have both and count as version 1 here. A cgroup is named by its path from
the root of each tree, such as `/naru/<container_id>`. The runtime makes the groups; what is here
reads them and removes what a killed runtime left. Blocking, well under a millisecond.

Spec: Linux, Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")

# The one tree that is asked for the members of a group: the first of these that has it.
_V1_MEMBERS = ("pids", "devices", "freezer", "memory", "systemd")
_REMOVE_ATTEMPTS = 5
_SERVICE_ESCAPE = "naru-monitors"
_libc = ctypes.CDLL(None, use_errno=True)


def version(root: Path = ROOT) -> int:
    """Return 2 where the unified tree is all there is, else 1."""
    return 2 if (root / "cgroup.controllers").exists() else 1


def controllers(root: Path = ROOT) -> frozenset[str]:
    """Return the controllers that limits can be set with."""
    if version(root) == 2:
        return frozenset(_read(root / "cgroup.controllers").split())
    try:
        names = os.listdir(root)
    except FileNotFoundError:
        return frozenset()
    return frozenset(
        part for name in names if name not in ("unified", "systemd") for part in name.split(",")
    )


def prepare(root: Path = ROOT) -> list[str]:
    """Make the machine's groups usable by crun, where that takes only a mount.

    On a hybrid machine crun refuses to work while any controller is left to the version 2 tree.
    Each such controller gets a version 1 tree of its own. Idempotent. Returns what was done or
    could not be done, for the log.
    """
    messages = []
    for controller in _left_to_v2(root):
        target = root / controller
        try:
            target.mkdir(exist_ok=True)
        except OSError as error:
            messages.append(f"cannot make {target}: {error.strerror}")
            continue
        if _mount_v1(controller, target):
            messages.append(f"mounted the cgroup v1 controller {controller} for crun")
        else:
            reason = os.strerror(ctypes.get_errno())
            messages.append(f"cannot mount the cgroup v1 controller {controller}: {reason}")
    return messages


def suits_crun(root: Path = ROOT) -> bool:
    """Say whether crun can work here: any machine but a hybrid one with controllers on both sides."""
    return not _left_to_v2(root)


def _left_to_v2(root: Path) -> list[str]:
    if version(root) == 2:
        return []
    return _read(root / "unified" / "cgroup.controllers").split()


def _mount_v1(controller: str, target: Path) -> bool:
    arguments = (b"cgroup", os.fsencode(target), b"cgroup", ctypes.c_ulong(0), controller.encode())
    return bool(_libc.mount(*arguments) == 0)


def exists(cgroup: str, root: Path = ROOT) -> bool:
    """Say whether the group is there in any tree."""
    return any(directory.is_dir() for directory in _directories(cgroup, root))


def directory(cgroup: str, controller: str, root: Path = ROOT) -> Path:
    """Return where a controller keeps the group; version 2 has one place for all.

    It need not be there.
    """
    return _join(root if version(root) == 2 else root / controller, cgroup)


def oom_kills(cgroup: str, root: Path = ROOT) -> int:
    """Return how many processes the kernel killed because the group was out of memory.

    0 when the group is gone: ask before the runtime deletes the container.
    """
    if version(root) == 2:
        text = _read(_join(root, cgroup) / "memory.events")
    else:
        text = _read(_join(root / "memory", cgroup) / "memory.oom_control")
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        if name == "oom_kill" and value.strip().isdigit():
            return int(value)
    return 0


def pids(cgroup: str, root: Path = ROOT) -> list[int]:
    """Return all processes of the group and of the groups below it, in order of pid."""
    if version(root) == 2:
        tops = [_join(root, cgroup)]
    else:
        tops = [_join(root / tree, cgroup) for tree in _V1_MEMBERS]
    for top in tops:
        if top.is_dir():
            found: set[int] = set()
            for directory, _, _ in os.walk(top):
                text = _read(Path(directory) / "cgroup.procs")
                found.update(int(word) for word in text.split())
            return sorted(found)
    return []


def remove(cgroup: str, root: Path = ROOT) -> bool:
    """Remove the group and all below it from every tree; False if processes are left in it.

    Idempotent.
    """
    removed = True
    for top in _directories(cgroup, root):
        for directory, _, _ in os.walk(top, topdown=False):
            removed = _rmdir(directory) and removed
    return removed


def leave_service(pid: int, root: Path = ROOT) -> None:
    """Move a process out of the group that the engine's service manager would kill.

    Does nothing where the engine itself is in the root group, as on machines without a service
    manager: moving costs milliseconds there for nothing.
    """
    tree = root if version(root) == 2 else root / "systemd"
    if own_cgroup(version(root)) == "/" or not tree.is_dir():
        return
    with contextlib.suppress(OSError):
        (tree / _SERVICE_ESCAPE).mkdir(exist_ok=True)
        (tree / _SERVICE_ESCAPE / "cgroup.procs").write_text(str(pid), encoding="ascii")


def own_cgroup(of_version: int, text: str | None = None) -> str:
    """Return the group of this process in the tree that service managers use.

    `text` stands in for `/proc/self/cgroup`.
    """
    lines = (_read(Path("/proc/self/cgroup")) if text is None else text).splitlines()
    wanted = "" if of_version == 2 else "name=systemd"
    for line in lines:
        _, names, path = line.split(":", 2)
        if names == wanted:
            return path
    return "/"


def _directories(cgroup: str, root: Path) -> list[Path]:
    """Return where the group may be, one directory per tree."""
    if version(root) == 2:
        return [path for path in (_join(root, cgroup),) if path.is_dir()]
    try:
        trees = sorted(os.listdir(root))
    except FileNotFoundError:
        return []
    # Combined controllers have links beside them, such as cpu -> cpu,cpuacct.
    places = [_join(root / tree, cgroup) for tree in trees if not (root / tree).is_symlink()]
    return [path for path in places if path.is_dir()]


def _join(tree: Path, cgroup: str) -> Path:
    words = [word for word in cgroup.split("/") if word]
    if not words or ".." in words:
        raise ValueError(f"{cgroup!r} names no group of ours")
    return tree.joinpath(*words)


def _rmdir(directory: str) -> bool:
    for _ in range(_REMOVE_ATTEMPTS):
        try:
            os.rmdir(directory)
        except FileNotFoundError:
            return True
        except OSError as error:
            # The kernel lets go of the last process a moment after it is reaped.
            if error.errno != errno.EBUSY:
                return False
            os.sched_yield()
        else:
            return True
    return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
