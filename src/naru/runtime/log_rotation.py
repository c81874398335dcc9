"""Making logs smaller: old files are renamed away, the oldest is deleted.

Owns the rotation of `container.log` to `container.log.1` and so on. conmon goes on writing to
the renamed file until it has opened a new one, so nothing is lost or split; a kill at any point
leaves files that the next rotation continues from. When it is time is for `log_keeping` to say.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

from naru.aio import in_thread
from naru.errors import FaultError
from naru.faults import fault_point
from naru.linux.fs import free_start
from naru.runtime.attach import has_unread, send_line
from naru.runtime.bundle import Monitored

_AFTER_RENAME = fault_point("runtime.log_rotation.after_rename")

_COPY_BYTES: Final = 1 << 20
# What `st_blocks` counts, whatever the file system.
_BLOCK_BYTES: Final = 512
# conmon's request to open the log anew; the two numbers mean nothing.
_REOPEN: Final = "2 0 0\n"
# A client that does not read can keep conmon busy for long.
_REOPEN_TIMEOUT_S: Final = 30.0
_SETTLE_S: Final = 0.1
_LOOK_AGAIN_S: Final = 0.002
_LOOKS_PER_QUESTION: Final = 20


async def rotate(monitored: Monitored, path: Path, max_files: int) -> None:
    """Start a new log file and keep `max_files` files in all.

    Raises:
        ConflictError: no conmon writes this log.
        FaultError: conmon did not open a new file.
    """
    if not await in_thread(_rename_all, path, max_files):
        # An engine was killed in between. Its request may be on the way: a second one would make
        # conmon replace the file that it just opened.
        await asyncio.sleep(_SETTLE_S)
    _AFTER_RENAME()
    await _reopen(monitored, path)
    if max_files == 1:
        await in_thread(_rotated(path, 1).unlink, missing_ok=True)


def _rename_all(path: Path, max_files: int) -> bool:
    """Rename every file; False if only the second half of a rotation is left to do."""
    if not path.exists():
        return False
    oldest = max(max_files - 1, 1)
    for number in range(oldest, 0, -1):
        source = path if number == 1 else _rotated(path, number - 1)
        with contextlib.suppress(FileNotFoundError):
            os.replace(source, _rotated(path, number))
    return True


def _rotated(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


async def _reopen(monitored: Monitored, path: Path) -> None:
    """Have conmon make a new file at `path`, by one request and no more."""
    if path.exists():
        return
    if not await in_thread(has_unread, monitored.control_fifo):
        await in_thread(send_line, monitored.control_fifo, _REOPEN)
    for look in range(round(_REOPEN_TIMEOUT_S / _LOOK_AGAIN_S)):
        if path.exists():
            return
        await asyncio.sleep(_LOOK_AGAIN_S)
        if look % _LOOKS_PER_QUESTION == 0:
            # Raises if conmon has ended meanwhile.
            await in_thread(has_unread, monitored.control_fifo)
    raise FaultError(f"conmon did not open a new log at {path}")


def trim(path: Path, max_bytes: int, max_files: int) -> None:
    """Free the oldest part of a log that takes more than its bound on the disk. Blocking.

    For what is written faster than anybody looks. Files stay the same for those who have them
    open, and as long; where their beginning was is a hole, which readers skip. On file systems
    without holes the oldest files go as a whole. `max_bytes` 0 means no bound.
    """
    if not max_bytes:
        return
    files = [_rotated(path, number) for number in range(max_files, 0, -1)]
    taken = {file: _allocated(file) for file in (*files, path)}
    excess = sum(taken.values()) - max_bytes * max_files
    for file in (*files, path):
        if excess <= 0:
            return
        if file != path and taken[file] <= excess:
            file.unlink(missing_ok=True)
        else:
            free_start(file, excess)
        excess -= taken[file]


def bound_ended(path: Path, max_bytes: int, max_files: int) -> bool:
    """Cut the log of a container that has ended down to its bound: the newest lines stay.

    For what was written faster than anybody looked. Blocking, idempotent; killed half-way it
    leaves the whole log. `max_bytes` 0 means no bound. Says whether anything was cut.
    """
    bound = max_bytes * max_files
    if not bound or _size(path) <= bound:
        return False
    shortened = path.with_name(f"{path.name}.short")
    with open(path, "rb") as log, open(shortened, "wb") as kept:
        log.seek(-bound, os.SEEK_END)
        # The first line is most likely cut; the bound is soft, whole lines are not.
        log.readline()
        shutil.copyfileobj(log, kept, _COPY_BYTES)
    shutil.copymode(path, shortened)
    os.replace(shortened, path)
    for number in range(1, max_files + 1):
        _rotated(path, number).unlink(missing_ok=True)
    return True


def _allocated(path: Path) -> int:
    try:
        return path.stat().st_blocks * _BLOCK_BYTES
    except FileNotFoundError:
        return 0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
