"""How a layer says "deleted": OCI's marker files, and overlay's devices and attributes.

Spec: image-spec v1.1, layer.md §Whiteouts; kernel, filesystems/overlayfs.rst §whiteouts.
"""

from __future__ import annotations

import contextlib
import os
import stat

from naru.errors import CorruptDataError
from naru.linux import xattr

PREFIX = b".wh."
OPAQUE = b".wh..wh..opq"
_META_PREFIX = b".wh..wh."
_OVERLAY_OPAQUE = ("trusted.overlay.opaque", "user.overlay.opaque")
# The kernel gives these attributes a meaning that no archive may decide.
_OVERLAY_XATTRS = (b"trusted.overlay.", b"user.overlay.")


def hidden_name(name: bytes) -> bytes | None:
    """Return what the marker `name` deletes; None if it is no such marker.

    Raises:
        CorruptDataError: a marker that would delete its directory, or the one above.
    """
    if not name.startswith(PREFIX) or name.startswith(_META_PREFIX):
        return None
    hidden = name[len(PREFIX) :]
    if hidden in (b"", b".", b".."):
        raise CorruptDataError(f"layer: whiteout {name.decode()!r} names nothing")
    return hidden


def is_meta(name: bytes) -> bool:
    """Say whether `name` is bookkeeping of AUFS (`.wh..wh.…`) and no file of a layer."""
    return name.startswith(_META_PREFIX)


def marker(name: bytes) -> bytes:
    """Return the marker that deletes `name`."""
    return PREFIX + name


def is_overlay_xattr(attribute: bytes) -> bool:
    """Say whether overlay itself reads this attribute; such never come out of an archive."""
    return attribute.startswith(_OVERLAY_XATTRS)


def is_overlay_whiteout(status: os.stat_result) -> bool:
    """Say whether a file in an upper directory stands for a deletion."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def make(directory: int, name: bytes) -> None:
    """Put overlay's whiteout of `name` into an open upper directory, in place of what is there."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name, dir_fd=directory)
    os.mknod(name, stat.S_IFCHR, 0, dir_fd=directory)


def make_opaque(directory: int, name: bytes) -> None:
    """Make the directory `name` in an open upper directory hide all that is below it."""
    xattr.set_at(directory, name, _OVERLAY_OPAQUE[0].encode(), b"y")


def is_overlay_opaque(path: str | bytes) -> bool:
    """Say whether a directory in an upper directory hides all that is below it."""
    return any(xattr.get(path, name) in (b"y", b"Y") for name in _OVERLAY_OPAQUE)
