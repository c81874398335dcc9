"""The files of a build: where they are kept while it runs, and how they get there.

A context is hostile: it is unpacked below a folder of its own, which no name and no link in it
leads out of, and which goes with the build. What a killed engine leaves is removed at its start.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from naru.dockerfile.ignorefile import IgnoreRules, read_patterns
from naru.dockerfile.parser import MAX_DOCKERFILE
from naru.errors import CorruptDataError, InvalidInputError
from naru.images.layers.compression import open_plain
from naru.linux import fs, safe_path
from naru.store.tar_read import Readable
from naru.store.tree_extract import extract

DEFAULT_NAME = "Dockerfile"
_IGNORE_FILE = ".dockerignore"


class Workshop:
    """The folder in which builds have folders of their own."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def clear(self) -> None:
        """Remove what builds of an earlier engine left. Idempotent."""
        fs.remove_tree(self._root)

    @contextlib.contextmanager
    def folder(self) -> Iterator[Path]:
        """Give an empty folder that is gone after the block. For worker threads, or quick."""
        folder = self._root / secrets.token_hex(8)
        folder.mkdir(parents=True, mode=0o700)
        try:
            yield folder
        finally:
            fs.remove_tree(folder)


def unpack_context(stream: Readable, folder: Path) -> None:
    """Unpack a tar, compressed or not, into an empty folder. Reads the stream to its end.

    Raises:
        InvalidInputError: no tar, cut off, or an entry that leads out of the folder.
        FaultError: the disk is full or fails.
    """
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        extract(open_plain(stream)[1], root, b"")
    except CorruptDataError as error:
        raise InvalidInputError(f"build context: {error.message}") from error
    finally:
        os.close(root)


def read_dockerfile(folder: Path, name: str) -> tuple[str, str]:
    """Return the text of the Dockerfile called `name`, and the name that it was found by.

    Raises:
        InvalidInputError: it is not there, is empty, or is larger than any.
    """
    wanted = name or DEFAULT_NAME
    for candidate in dict.fromkeys((wanted, wanted.lower() if wanted == DEFAULT_NAME else wanted)):
        text = _read(folder, candidate)
        if text:
            return text, candidate
        if text is not None:
            raise InvalidInputError(f"the Dockerfile ({candidate}) cannot be empty")
    raise InvalidInputError(f"Cannot locate specified Dockerfile: {wanted}")


def drop_ignored(folder: Path, dockerfile: str) -> None:
    """Remove the Dockerfile and the ignore file where the latter says so.

    The client leaves out the rest, but these two it has to send.

    Raises:
        InvalidInputError: the ignore file is none.
    """
    text = _read(folder, _IGNORE_FILE)
    if text is None:
        return
    rules = IgnoreRules(read_patterns(text))
    for name in (_IGNORE_FILE, os.path.normpath(dockerfile).lstrip("/")):
        if rules.leaves_out(name):
            _remove(folder, name)


def _read(folder: Path, name: str) -> str | None:
    try:
        text = safe_path.read_text(folder, name, MAX_DOCKERFILE)
    except CorruptDataError as error:
        raise InvalidInputError(f"build context: {error.message}") from error
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise InvalidInputError(f"build context: {name}: {reason}") from error
    if text is None:
        return None
    # Comments in other encodings are common; what they say does not matter.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _remove(folder: Path, name: str) -> None:
    parent, _, last = name.rpartition("/")
    try:
        directory = safe_path.open_beneath(folder, parent, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return
    try:
        fs.remove_at(directory, last)
    finally:
        os.close(directory)
