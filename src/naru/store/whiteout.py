"""How a layer says "deleted": OCI's marker files, and what overlay must not be told by archives.

Overlay's own form is the kernel's business: layers are applied to the merged view.

Spec: image-spec v1.1, layer.md §Whiteouts; kernel, filesystems/overlayfs.rst §whiteouts.
"""

from __future__ import annotations

from naru.errors import CorruptDataError

PREFIX = b".wh."
OPAQUE = b".wh..wh..opq"
# Bookkeeping of AUFS, which is no part of a layer.
_META_PREFIX = b".wh..wh."
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


def is_overlay_xattr(attribute: bytes) -> bool:
    """Say whether overlay itself reads this attribute; such never come out of an archive."""
    return attribute.startswith(_OVERLAY_XATTRS)
