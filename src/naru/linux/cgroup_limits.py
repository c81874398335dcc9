"""Limits that runtimes do not set: those that are taken away, and the shares of real-time.

The runtime sets a container's limits. It cannot always take one away again, and it leaves the
groups above the container's alone. Blocking, a few small writes.

Spec: Linux, Documentation/admin-guide/cgroup-v1/, cgroup-v2.rst and
Documentation/scheduler/sched-rt-group.rst.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Container
from fractions import Fraction
from pathlib import Path
from typing import Final

from naru.errors import FaultError, InvalidInputError
from naru.linux import cgroup

_DEFAULT_PERIOD_US: Final = 1_000_000
_AS_ABOVE: Final = "as above"
_realtime_lock = threading.Lock()

# A limit as the runtime spec names it: where it is kept, and what means that there is none. The
# first is for version 1, with its controller; the second for version 2.
_UNLIMITED: Final[dict[str, tuple[tuple[str, str, str], tuple[str, str]]]] = {
    "memory.swap": (("memory", "memory.memsw.limit_in_bytes", "-1"), ("memory.swap.max", "max")),
    "memory.limit": (("memory", "memory.limit_in_bytes", "-1"), ("memory.max", "max")),
    "memory.reservation": (("memory", "memory.soft_limit_in_bytes", "-1"), ("memory.low", "0")),
    "cpu.quota": (("cpu", "cpu.cfs_quota_us", "-1"), ("cpu.max", "max")),
    "cpu.shares": (("cpu", "cpu.shares", "1024"), ("cpu.weight", "100")),
    "cpu.realtimeRuntime": (("cpu", "cpu.rt_runtime_us", "0"), ("", "")),
    "cpu.cpus": (("cpuset", "cpuset.cpus", _AS_ABOVE), ("cpuset.cpus", "\n")),
    "cpu.mems": (("cpuset", "cpuset.mems", _AS_ABOVE), ("cpuset.mems", "\n")),
    "pids.limit": (("pids", "pids.max", "max"), ("pids.max", "max")),
}


def lift(group: str, limits: Container[str], root: Path = cgroup.ROOT) -> None:
    """Take limits away from the group, named as `memory.limit`. Idempotent.

    A limit that cannot be taken away, or that this version does not have, is passed over.

    Raises:
        FaultError: the kernel refused.
    """
    is_v2 = cgroup.version(root) == 2
    for limit, (v1, v2) in _UNLIMITED.items():
        controller, name, unlimited = ("", *v2) if is_v2 else v1
        if limit not in limits or not name:
            continue
        path = cgroup.directory(group, controller, root) / name
        try:
            text = unlimited if unlimited != _AS_ABOVE else _read(path.parent.parent / name)
            _write(path, text)
        except FileNotFoundError:
            continue  # What the kernel does not have is not in force.
        except OSError as error:
            raise FaultError(f"write {path}: {error.strerror}") from error


def provide_realtime(group: str, runtime_us: int, period_us: int, root: Path = cgroup.ROOT) -> None:
    """Give a group its part of the real-time scheduler, and those above it what they need for that.

    Version 1 only: a group has no more than its parent handed on, which by default is nothing.
    Groups that are missing are made. `period_us` 0 is the kernel's default.

    Raises:
        InvalidInputError: the machine has not that much left.
    """
    words = [word for word in group.split("/") if word]
    own = cgroup.directory(group, "cpu", root)
    above = [(root / "cpu").joinpath(*words[:depth]) for depth in range(1, len(words))]
    own.mkdir(parents=True, exist_ok=True)
    # Two that start at once must see each other's part.
    with _realtime_lock:
        try:
            _hand_down(own, above, Fraction(runtime_us, period_us or _DEFAULT_PERIOD_US))
            # The old part must fit into the new period, whichever comes first.
            _write(own / "cpu.rt_runtime_us", "0")
            _write(own / "cpu.rt_period_us", str(period_us or _DEFAULT_PERIOD_US))
            _write(own / "cpu.rt_runtime_us", str(runtime_us))
        except OSError as error:
            raise InvalidInputError(
                f"cpu real-time runtime of {runtime_us} is more than the host has left",
                hint=f"{error.filename or group}: {error.strerror}",
            ) from error


def _hand_down(own: Path, above: list[Path], needed: Fraction) -> None:
    wanted: list[tuple[Path, Fraction]] = []
    below = own
    for directory in reversed(above):
        others = (child for child in directory.iterdir() if child.is_dir() and child != below)
        needed = max(needed + sum(map(_share, others)), _share(directory))
        wanted.append((directory, needed))
        below = directory
    for directory, share in reversed(wanted):
        runtime = math.ceil(share * _period(directory))
        _write(directory / "cpu.rt_runtime_us", str(runtime))


def _share(directory: Path) -> Fraction:
    return Fraction(_number(directory / "cpu.rt_runtime_us"), _period(directory))


def _period(directory: Path) -> int:
    return _number(directory / "cpu.rt_period_us") or _DEFAULT_PERIOD_US


def _number(path: Path) -> int:
    try:
        return max(int(_read(path)), 0)
    except (OSError, ValueError):
        return 0


def _read(path: Path) -> str:
    return path.read_text(encoding="ascii")


def _write(path: Path, text: str) -> None:
    # Never made anew: a file that the kernel does not have is a limit that is not enforced.
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode("ascii"))
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        os.close(descriptor)
