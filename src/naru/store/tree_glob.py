"""Which paths of a container fit a pattern with `*`, `?` and `[…]`, as a shell would say.

A star stays within one name, and hidden files are meant only where the pattern begins with a dot.
Links on the way are followed inside the root. Blocks on the disk.
"""

from __future__ import annotations

import os
import re
from fnmatch import translate

from naru.errors import InvalidInputError
from naru.linux import safe_path

_MAGIC = re.compile(r"[*?[]")
_MAX_MATCHES = 10_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY


def matching_paths(root: int, pattern: str) -> list[str]:
    """Return the absolute paths below the open directory `root` that fit, sorted; maybe none.

    Raises:
        InvalidInputError: there are too many.
    """
    found = [""]
    for part in pattern.split("/"):
        if part in ("", "."):
            continue
        following: list[str] = []
        for path in found:
            following += _children(root, path, part)
            if len(following) > _MAX_MATCHES:
                raise InvalidInputError(f"{pattern}: more than {_MAX_MATCHES} paths fit")
        found = following
    return [path for path in found if _exists(root, path)]


def _children(root: int, path: str, part: str) -> list[str]:
    if not _MAGIC.search(part):
        return [f"{path}/{part}"]
    try:
        descriptor = safe_path.open_at(root, path, _DIRECTORY)
    except OSError:
        return []
    try:
        names = os.listdir(descriptor)
    finally:
        os.close(descriptor)
    fits = re.compile(translate(part)).match
    return [
        f"{path}/{name}"
        for name in sorted(names)
        if (not name.startswith(".") or part.startswith(".")) and fits(name)
    ]


def _exists(root: int, path: str) -> bool:
    try:
        os.close(safe_path.open_at(root, path, os.O_PATH | os.O_NOFOLLOW))
    except OSError:
        return False
    return True
