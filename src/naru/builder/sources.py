"""What COPY and ADD take: names and patterns of a step turned into files of a tree.

The tree may be a context that somebody hostile sent, or an image's root: names and links lead
nowhere outside of it. Blocks on the disk.

Spec: Dockerfile reference, "COPY"; moby, builder/dockerfile/copy.go, for rules and texts.
"""

from __future__ import annotations

import errno
import hashlib
import os
import posixpath
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from naru.builder.checksum import file_checksum, open_plain, place_of, tree_checksum
from naru.dockerfile.ignorefile import IgnoreRules, pattern_regex
from naru.errors import InvalidInputError
from naru.linux import safe_path

_ABSENT = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG)
_WILDCARD = re.compile(r"(?<!\\)[*?\[]")


@dataclass(frozen=True, slots=True)
class Tree:
    """Where files come from: an open directory, which is the root of all names in it.

    `is_context` says that it was sent for this build. `keeps_owners` is for images, `is_remote`
    for what came from a URL and is never unpacked.
    """

    root: int
    is_context: bool = True
    keeps_owners: bool = False
    is_remote: bool = False


@dataclass(frozen=True, slots=True)
class Source:
    """One file or directory to copy.

    `path` leads to it from the tree's root, `name` is what it is called where it goes, which
    with `--parents` is a path. `checksum` tells whether it is still the same.
    """

    tree: Tree
    path: str
    name: str
    is_directory: bool
    checksum: str


class Selection:
    """Finds sources in one tree, by the flags of one step."""

    def __init__(self, tree: Tree, *, excluded: Sequence[str] = (), keeps_parents: bool) -> None:
        """Look in `tree`, and leave out what the patterns `excluded` fit.

        Raises:
            InvalidInputError: a pattern is none.
        """
        self._tree = tree
        self._keeps_parents = keeps_parents
        self._rules = IgnoreRules(excluded)

    def find(self, wanted: Sequence[str]) -> list[Source]:
        """Return the sources that a step names, in order, patterns in alphabetical order.

        Raises:
            InvalidInputError: one is not there, or lies outside of the tree.
        """
        return [source for name in wanted for source in self._find(name)]

    def named(self, names: Sequence[str]) -> list[Source]:
        """Return the sources of exactly these names, in which nothing is a pattern.

        Raises:
            InvalidInputError: one is not there.
        """
        return [self._source(name, name) for name in names]

    def _find(self, wanted: str) -> Iterator[Source]:
        path, pivot = self._clean(wanted)
        matches = _expand(self._tree.root, path) if _WILDCARD.search(path) else [path]
        for match in matches:
            if match and self._rules.leaves_out(match):
                continue
            name = posixpath.basename(match)
            if self._keeps_parents:
                name = match.removeprefix(pivot)
            yield self._source(match, name)

    def _clean(self, wanted: str) -> tuple[str, str]:
        """Return the path from the root, and how much of it `--parents` cuts off."""
        relative = wanted.lstrip("/")
        head, has_pivot, _ = relative.partition("/./")
        path = posixpath.normpath(relative) if relative else "."
        if path == ".." or path.startswith("../"):
            raise InvalidInputError(f"forbidden path outside the build context: {wanted} ()")
        pivot = posixpath.normpath(head) + "/" if has_pivot else ""
        return ("" if path == "." else path), pivot.removeprefix("./")

    def _source(self, path: str, name: str) -> Source:
        try:
            descriptor = safe_path.open_at(self._tree.root, path, os.O_PATH)
        except OSError as error:
            if error.errno not in (*_ABSENT, errno.EINVAL):
                raise
            raise InvalidInputError(self._missing(path)) from error
        try:
            source = Source(self._tree, path, name, is_directory=False, checksum="")
            status = os.fstat(descriptor)
            with_owners = self._tree.keeps_owners
            if not stat.S_ISDIR(status.st_mode):
                parent, last = place_of(self._tree.root, descriptor)
                directory = open_plain(self._tree.root, parent)
                try:
                    checksum = file_checksum(
                        directory, last, os.fsencode(name), status, with_owners=with_owners
                    )
                finally:
                    os.close(directory)
                return replace(source, checksum=f"file:{checksum}")
            opened = os.open(b"/proc/self/fd/%d" % descriptor, os.O_RDONLY | os.O_CLOEXEC)
            try:
                checksum = tree_checksum(opened, self._rules, with_owners=with_owners)
            finally:
                os.close(opened)
            return replace(source, is_directory=True, checksum=f"dir:{checksum}")
        finally:
            os.close(descriptor)

    def _missing(self, path: str) -> str:
        reason = f"stat {path}: file does not exist"
        if not self._tree.is_context:
            return reason
        return f"file not found in build context or excluded by .dockerignore: {reason}"


def combined_checksum(sources: Sequence[Source]) -> str:
    """Return the checksum of all sources of a step together."""
    if len(sources) == 1:
        return sources[0].checksum
    joined = ",".join(source.checksum for source in sources)
    return f"multi:{hashlib.sha256(joined.encode()).hexdigest()}"


def _expand(root: int, pattern: str) -> list[str]:
    """Return the paths that a pattern fits, in order; links are not looked behind."""
    found = [""]
    for part in pattern.split("/"):
        if not _WILDCARD.search(part):
            plain = re.sub(r"\\(.)", r"\1", part)
            found = [posixpath.join(path, plain) for path in found]
            continue
        regex = pattern_regex(part.replace("**", "*"))
        found = [
            posixpath.join(path, name)
            for path in found
            for name in _names(root, path)
            if regex.fullmatch(name)
        ]
    return [path for path in found if _exists(root, path)]


def _names(root: int, path: str) -> list[str]:
    try:
        descriptor = safe_path.open_at(root, path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        if error.errno in _ABSENT:
            return []
        raise
    try:
        return sorted(os.listdir(descriptor))
    finally:
        os.close(descriptor)


def _exists(root: int, path: str) -> bool:
    try:
        os.close(safe_path.open_at(root, path, os.O_PATH | os.O_NOFOLLOW))
    except OSError as error:
        if error.errno in _ABSENT:
            return False
        raise
    return True
