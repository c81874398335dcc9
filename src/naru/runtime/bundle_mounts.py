"""Mounts that are made in a bundle before the runtime starts, for the spec to bind.

Owns `<bundle>/m`. They serve what a runtime cannot be told, or cannot be trusted to do
the same way everywhere: a view of an image, a folder inside a volume that nobody can swap for a
link meanwhile, files under other owners. `bundle.remove` takes them off.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from naru.errors import InvalidInputError
from naru.linux import mount, mount_tree, safe_path
from naru.linux.mount import Mount
from naru.runtime.bundle import Bundle


def bind_inside(bundle: Bundle, number: int, root: Path, subpath: str = "") -> Path:
    """Mount what is at `subpath` below `root` in the bundle, and return where.

    Links are followed as if `root` were the whole world, and what is mounted there is what was
    found, whoever changes the way to it later.

    Raises:
        InvalidInputError: there is nothing, in Docker's words.
        FaultError: the kernel refused.
    """
    return _bind(bundle, number, root, subpath, shown=str(root / subpath))


def _bind(bundle: Bundle, number: int, root: Path, subpath: str, *, shown: str) -> Path:
    try:
        descriptor = safe_path.open_beneath(root, subpath, os.O_PATH)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise InvalidInputError(f"cannot access path {shown}: {reason}") from error
    try:
        is_directory = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        target = _place(bundle, str(number), is_directory=is_directory)
        with mount_tree.copied(descriptor, recursive=True) as copy:
            mount_tree.put(copy, target)
    finally:
        os.close(descriptor)
    return target


def mount_view(bundle: Bundle, number: int, mounts: Sequence[Mount], subpath: str = "") -> Path:
    """Mount a snapshot, or what is at `subpath` in it, in the bundle, and return where.

    Raises:
        InvalidInputError: there is no such path in it, in Docker's words.
        FaultError: the kernel refused.
    """
    view = _place(bundle, f"{number}-view", is_directory=True)
    mount.mount_all(mounts, view)
    if not subpath:
        return view
    return _bind(bundle, number, view, subpath, shown=f"{subpath} of the image")


def _place(bundle: Bundle, name: str, *, is_directory: bool) -> Path:
    target = bundle.mounts / name
    bundle.mounts.mkdir(exist_ok=True)
    if is_directory:
        target.mkdir()
    else:
        target.touch()
    return target
