"""First use of a volume: what the image has at the place where it is mounted goes into it.

The copy is made beside the volume's content and moved in when it is whole, entry by entry, so
that a volume that is in use already keeps its directory. After a kill, `finish_copy_up` drops
half a copy and completes a whole one.
"""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from naru.errors import FaultError, reason_of
from naru.faults import fault_point
from naru.linux import fs, safe_path
from naru.volumes.tree_copy import copy_attributes, copy_children

_HALF = fault_point("volumes.copy_up.half")
_WHOLE = fault_point("volumes.copy_up.whole")
_MOVING = fault_point("volumes.copy_up.moving")
_PARTIAL, _WHOLE_NAME = "_copy.partial", "_copy"
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_NO_DIRECTORY = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)


def copy_up(rootfs: Path, destination: str, volume_path: Path, folder: Path) -> bool:
    """Fill an empty volume from `destination` in `rootfs`; False when there was nothing to do.

    `folder` is the engine's own for this volume, where the copy is made.
    A volume that has anything in it stays as it is. Links in the image are resolved inside
    `rootfs`. The volume's own directory gets owner, mode and attributes of the image's.

    Raises:
        FaultError: the disk refused; the volume is as it was.
    """
    try:
        finish_copy_up(volume_path, folder)
        if os.listdir(volume_path):
            return False
        try:
            source = safe_path.open_beneath(rootfs, destination, _DIRECTORY)
        except OSError as error:
            if error.errno in _NO_DIRECTORY:
                return False
            raise
        try:
            _stage(source, folder)
        finally:
            os.close(source)
        finish_copy_up(volume_path, folder)
    except OSError as error:
        with contextlib.suppress(OSError):
            fs.remove_tree(folder / _PARTIAL)
        raise FaultError(
            f"copy the image's content at {destination} into volume {folder.name}: "
            f"{reason_of(error)}"
        ) from error
    return True


def finish_copy_up(volume_path: Path, folder: Path) -> None:
    """Complete or drop what a killed engine was copying. Idempotent.

    Raises:
        OSError: the disk refused.
    """
    fs.remove_tree(folder / _PARTIAL)
    whole = folder / _WHOLE_NAME
    if not whole.is_dir():
        return
    source = os.open(whole, _DIRECTORY)
    try:
        target = os.open(volume_path, _DIRECTORY)
        try:
            status = os.fstat(source)
            _move_children(source, target)
            copy_attributes(source, target, status)
        finally:
            os.close(target)
    finally:
        os.close(source)
    fs.remove_tree(whole)


def _stage(source: int, folder: Path) -> None:
    partial = folder / _PARTIAL
    partial.mkdir(mode=0o700)
    target = os.open(partial, _DIRECTORY)
    try:
        copy_children(source, target)
        _HALF()
        copy_attributes(source, target)
    finally:
        os.close(target)
    partial.rename(folder / _WHOLE_NAME)
    _WHOLE()


def _move_children(source: int, target: int) -> None:
    for name in os.listdir(source):
        try:
            # A container that uses the volume already may have put this name there.
            os.stat(name, dir_fd=target, follow_symlinks=False)
        except FileNotFoundError:
            try:
                os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                # The volume is a mount of its own: nothing can be moved into it.
                copy_children(source, target)
                return
        _MOVING()
