"""Disks of a known size, for what happens when one is full."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from naru.linux import mount
from naru.linux.mount import Mount


@contextlib.contextmanager
def small_disk(place: Path, options: str) -> Iterator[Path]:
    """Make a directory at `place` with a disk of its own, in memory; it goes with all that is on it.

    `options` are those of tmpfs, such as `size=2m,nr_inodes=60`.
    """
    place.mkdir()
    mount.mount_all([Mount(type="tmpfs", source="tmpfs", data=options)], place)
    try:
        yield place
    finally:
        mount.unmount(place)
