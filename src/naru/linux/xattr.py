"""Extended attributes of anything in a directory, links and devices included, by descriptor.

The kernel has no `*xattr_at`; a path through /proc/self/fd stands in for it, and neither opens
the file nor follows it.
"""

from __future__ import annotations

import errno
import os

_OF_USERS = b"user."
_ABSENT = (errno.ENODATA, errno.ENOTSUP, errno.EPERM)


def path_at(directory: int, name: bytes) -> bytes:
    """Return a path to `name` in an open directory, valid while that is open."""
    return b"/proc/self/fd/%d/%s" % (directory, name)


def set_at(directory: int, name: bytes, attribute: bytes, value: bytes) -> bool:
    """Set an attribute; False if this filesystem, or this kind of file, has no place for it.

    Raises:
        OSError: refused for another reason.

    Spec: xattr(7), Extended user attributes: regular files and directories only.
    """
    try:
        os.setxattr(path_at(directory, name), attribute, value, follow_symlinks=False)
    except OSError as error:
        is_of_users = error.errno == errno.EPERM and attribute.startswith(_OF_USERS)
        if error.errno == errno.ENOTSUP or is_of_users:
            return False
        raise
    return True


def get(path: str | bytes | int, attribute: str) -> bytes | None:
    """Return one attribute of a file, not following a link; None if it has none such."""
    follow = isinstance(path, int)
    try:
        return os.getxattr(path, attribute, follow_symlinks=follow)
    except OSError as error:
        if error.errno in _ABSENT:
            return None
        raise


def read_all(path: str | bytes) -> dict[str, bytes]:
    """Return all attributes of a file, not following a link."""
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno in _ABSENT:
            return {}
        raise
    found = {}
    for name in names:
        value = get(path, name)
        if value is not None:
            found[name] = value
    return found
