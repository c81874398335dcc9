"""ADD's way with archives: a local tar, compressed or not, is unpacked. Blocks on the disk."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from naru.builder.checksum import place_of
from naru.builder.placing import Owner
from naru.builder.sources import Source
from naru.errors import CorruptDataError, NaruError
from naru.images.layers.compression import open_plain
from naru.linux import safe_path
from naru.store.tar_read import Readable, TarReader
from naru.store.tree_extract import extract


def is_archive(source: Source) -> bool:
    """Say whether a file is one that ADD unpacks: it begins with the header of a tar."""
    if source.tree.is_remote:
        return False
    try:
        with _opened(source) as file:
            return TarReader(open_plain(file)[1]).next() is not None
    except NaruError:
        return False


def unpack_archive(source: Source, root: int, directory: int, owner: Owner | None) -> None:
    """Unpack a local archive into an open directory below the open directory `root`.

    Raises:
        InvalidInputError: it is cut off, or something in it cannot be.
        FaultError: the disk is full or fails.
    """
    where = b"/".join(filter(None, place_of(root, directory)))
    with _opened(source) as file:
        extract(open_plain(file)[1], root, where, owner=owner)


@contextlib.contextmanager
def _opened(source: Source) -> Iterator[Readable]:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
    descriptor = safe_path.open_at(source.tree.root, source.path, flags)
    try:
        with open(descriptor, "rb", buffering=0) as file:
            yield file
    except OSError as error:
        raise CorruptDataError(f"{source.path}: {os.strerror(error.errno or 0)}") from error
