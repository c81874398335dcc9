"""Where in a root file system a mount really goes, once the image's own links are followed.

Runtimes disagree about destinations that lead through links; with the links resolved beforehand
there is nothing to disagree about. Blocking. The container does not run yet, so nothing moves.
"""

from __future__ import annotations

import os
from pathlib import Path

from naru.errors import InvalidInputError
from naru.linux import mountinfo
from naru.linux.safe_path import without_links

# The kernel's own limit (path_resolution(7)).
_MAX_LINKS = 40


def resolve(rootfs: Path, destination: str) -> str:
    """Return `destination` without links; what does not exist is kept as it is.

    A link's target is taken from the root file system, whatever it says: it cannot leave it.

    Raises:
        InvalidInputError: the links lead in a circle.
    """

    def read_link(path: str) -> str | None:
        try:
            return os.readlink(rootfs / path)
        except OSError:
            return None

    try:
        return without_links(destination, read_link, most_links=_MAX_LINKS)
    except OSError as error:
        raise InvalidInputError(
            f"mount destination {destination}: too many levels of links"
        ) from error


def check_propagation(source: str, propagation: str) -> None:
    """Refuse what the mount that `source` lies on cannot give: it must propagate itself.

    Raises:
        InvalidInputError: in Docker's words.
    """
    if propagation not in ("shared", "rshared", "slave", "rslave"):
        return
    place = mountinfo.mount_of(os.path.realpath(source))
    if propagation in ("shared", "rshared"):
        if not place.is_shared:
            raise InvalidInputError(
                f"path {source} is mounted on {place.target} but it is not a shared mount"
            )
    elif not (place.is_shared or place.is_slave):
        raise InvalidInputError(
            f"path {source} is mounted on {place.target} but it is not a shared or slave mount"
        )
