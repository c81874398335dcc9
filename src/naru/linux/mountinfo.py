"""What is mounted where, read from /proc/self/mountinfo.

Spec: proc_pid_mountinfo(5).
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from naru.errors import FaultError

_ESCAPE = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class MountEntry:
    """One mount. `root` is the part of the filesystem that is visible at `target`."""

    mount_id: int
    parent_id: int
    device: str
    root: str
    target: Path
    options: str
    propagation: tuple[str, ...]
    type: str
    source: str
    super_options: str

    @property
    def is_shared(self) -> bool:
        """Whether what is mounted below it shows up in its peers."""
        return any(field.startswith("shared:") for field in self.propagation)

    @property
    def is_slave(self) -> bool:
        """Whether what is mounted in its master shows up below it."""
        return any(field.startswith("master:") for field in self.propagation)


def parse_mountinfo(data: bytes) -> list[MountEntry]:
    """Read the table; lines that are no mounts are left out. Order is the order of mounting."""
    found = []
    for line in data.splitlines():
        head, separator, tail = line.partition(b" - ")
        fields, rest = head.split(b" "), tail.split(b" ")
        if not separator or len(fields) < 6 or len(rest) < 2:
            continue
        found.append(
            MountEntry(
                mount_id=int(fields[0]),
                parent_id=int(fields[1]),
                device=fields[2].decode(),
                root=_unescape(fields[3]),
                target=Path(_unescape(fields[4])),
                options=_unescape(fields[5]),
                propagation=tuple(_unescape(field) for field in fields[6:]),
                type=_unescape(rest[0]),
                source=_unescape(rest[1]),
                super_options=_unescape(rest[2]) if len(rest) > 2 else "",
            )
        )
    return found


def mounts() -> list[MountEntry]:
    """Return all mounts that this process sees."""
    return parse_mountinfo(Path("/proc/self/mountinfo").read_bytes())


def mounts_under(path: Path) -> list[MountEntry]:
    """Return the mounts on `path` and below it, the latest first: the order to unmount in."""
    root = Path(os.path.realpath(path))
    return [
        entry
        for entry in reversed(mounts())
        if entry.target == root or entry.target.is_relative_to(root)
    ]


def mount_of(path: str, entries: Sequence[MountEntry] | None = None) -> MountEntry:
    """Return the mount that a path without links lies on: the latest of the innermost ones.

    Raises:
        FaultError: the table has no root.
    """
    found: MountEntry | None = None
    for entry in mounts() if entries is None else entries:
        is_inner = found is None or len(entry.target.parts) >= len(found.target.parts)
        if is_inner and Path(path).is_relative_to(entry.target):
            found = entry
    if found is None:
        raise FaultError(f"{path} lies on no mount")
    return found


def _unescape(field: bytes) -> str:
    return os.fsdecode(_ESCAPE.sub(lambda match: bytes([int(match[1], 8) & 0xFF]), field))
