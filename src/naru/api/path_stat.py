"""The header that describes a path in a container, and file modes as Go prints them. Pure.

Spec: Engine API, ContainerArchiveInfo; Go, io/fs.FileMode.
"""

from __future__ import annotations

import stat
from typing import NamedTuple

HEADER = "X-Docker-Container-Path-Stat"
MATCHES_HEADER = "X-Naru-Matches"
"""How many paths fit the pattern that was asked for."""

MODE_DIRECTORY = 1 << 31
MODE_SYMLINK = 1 << 27
MODE_DEVICE = 1 << 26
MODE_FIFO = 1 << 25
MODE_SOCKET = 1 << 24
MODE_SETUID = 1 << 23
MODE_SETGID = 1 << 22
MODE_CHARACTER = 1 << 21
MODE_STICKY = 1 << 20
MODE_IRREGULAR = 1 << 19
_PERMISSIONS = 0o777

_TYPES = {
    stat.S_IFREG: 0,
    stat.S_IFDIR: MODE_DIRECTORY,
    stat.S_IFLNK: MODE_SYMLINK,
    stat.S_IFBLK: MODE_DEVICE,
    stat.S_IFCHR: MODE_DEVICE | MODE_CHARACTER,
    stat.S_IFIFO: MODE_FIFO,
    stat.S_IFSOCK: MODE_SOCKET,
}
_BITS = ((stat.S_ISUID, MODE_SETUID), (stat.S_ISGID, MODE_SETGID), (stat.S_ISVTX, MODE_STICKY))


class PathStat(NamedTuple):
    """What is at a path; `mode` in Go's bits, `mtime` as RFC 3339, `link_target` resolved."""

    name: str
    size: int
    mode: int
    mtime: str
    link_target: str

    def as_json(self) -> dict[str, str | int]:
        """Return it as the header carries it."""
        return {
            "name": self.name,
            "size": self.size,
            "mode": self.mode,
            "mtime": self.mtime,
            "linkTarget": self.link_target,
        }


def go_mode(mode: int) -> int:
    """Return a mode of stat(2) in Go's bits."""
    found = (mode & _PERMISSIONS) | _TYPES.get(stat.S_IFMT(mode), MODE_IRREGULAR)
    for ours, theirs in _BITS:
        if mode & ours:
            found |= theirs
    return found
