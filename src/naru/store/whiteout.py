"""How a layer says "deleted": OCI's marker files, and what overlay must not be told by archives.

Overlay's own form is the kernel's business: layers are applied to the merged view.

Spec: image-spec v1.1, layer.md §Whiteouts; kernel, filesystems/overlayfs.rst §whiteouts.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from naru.errors import CorruptDataError

PREFIX = b".wh."
OPAQUE = b".wh..wh..opq"
# Bookkeeping of AUFS, which is no part of a layer.
_META_PREFIX = b".wh..wh."
# The kernel gives these attributes a meaning that no archive may decide.
_OVERLAY_XATTRS = (b"trusted.overlay.", b"user.overlay.")
# What belongs to a file wherever it is; other attributes are about the machine it is on.
_LAYER_XATTRS = ("security.capability", "system.posix_acl_access", "system.posix_acl_default")


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


def is_overlay_xattr(attribute: bytes) -> bool:
    """Say whether overlay itself reads this attribute; such never come out of an archive."""
    return attribute.startswith(_OVERLAY_XATTRS)


def is_overlay_whiteout(status: os.stat_result) -> bool:
    """Say whether a file of an upper directory is overlay's own form of a deletion."""
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def layer_xattrs(attributes: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return those attributes of a file that a layer keeps, in the order of their names."""
    return {
        name: attributes[name]
        for name in sorted(attributes)
        if name in _LAYER_XATTRS
        or (name.startswith("user.") and not is_overlay_xattr(os.fsencode(name)))
    }
