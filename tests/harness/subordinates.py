"""An account with subordinate ids, for engines whose containers run in user namespaces.

The account is one that every system has; what is added for it in /etc is taken away again.
"""

from __future__ import annotations

import contextlib
import fcntl
import grp
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

# Far from what distributions give to people.
UID, GID, SIZE = 1_800_000_000, 1_900_000_000, 65_536
FOLDER = f"{UID}.{GID}"


@contextlib.contextmanager
def subordinate_account() -> Iterator[str]:
    """Give an account its ids, and yield the setting that names it."""
    user = pwd.getpwnam("nobody")
    group = grp.getgrgid(user.pw_gid).gr_name
    lines = {
        Path("/etc/subuid"): f"{user.pw_name}:{UID}:{SIZE}\n",
        Path("/etc/subgid"): f"{group}:{GID}:{SIZE}\n",
    }
    for path, line in lines.items():
        with _locked(path):
            path.write_text(path.read_text() + line)
    try:
        yield f"{user.pw_name}:{group}"
    finally:
        for path, line in lines.items():
            with _locked(path):
                # One of them: a run beside this one has its own.
                path.write_text(path.read_text().replace(line, "", 1))


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
