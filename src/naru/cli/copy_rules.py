"""Where `cp` puts what: the table of Docker's documentation, as plain functions on names.

Paths are text as users type them; a slash or a `/.` at the end has a meaning and is kept.

Spec: docker/cli, container/cp.go; moby/go-archive, copy.go; docker's reference of `cp`.
"""

from __future__ import annotations

import posixpath
from typing import NamedTuple

from naru.cli.failure import CommandFailedError

_MAGIC = frozenset("*?[")


class Place(NamedTuple):
    """One end of a copy; `rebase_name` is what a source is called if not by its last name."""

    path: str
    exists: bool = False
    is_dir: bool = False
    rebase_name: str = ""


class Placement(NamedTuple):
    """The directory to extract into, and what the first name of each entry becomes."""

    directory: str
    old_base: str = ""
    new_base: str = ""

    def renamed(self, name: str) -> str:
        """Return an entry's name, or that of a hard link, as it is to be extracted."""
        old = "" if self.old_base == "/" else self.old_base
        if not self.new_base or not name.startswith(old):
            return name
        return self.new_base + name[len(old) :]


def split_argument(argument: str) -> tuple[str, str]:
    """Return container and path; the container is "" for a path of this machine.

    What begins with a slash or a dot is a path, whatever colons it has.
    """
    if argument.startswith("/"):
        return "", argument
    container, colon, path = argument.partition(":")
    return ("", argument) if not colon or argument.startswith(".") else (container, path)


def is_pattern(path: str) -> bool:
    """Say whether a path may stand for several."""
    return not _MAGIC.isdisjoint(path)


def says_directory(path: str) -> bool:
    """Say whether a path is said to be a directory by how it ends."""
    return path.endswith("/") or _says_inside(path)


def _says_inside(path: str) -> bool:
    return base_name(path) == "."


def base_name(path: str) -> str:
    """Return the last name of a path, slashes at its end left out; `/` for the root."""
    stripped = path.rstrip("/")
    return stripped.rpartition("/")[2] if stripped else ("/" if path else ".")


def clean(path: str) -> str:
    """Return a path without needless parts, as Go's filepath.Clean."""
    cleaned = posixpath.normpath(path) if path else "."
    return "/" + cleaned.lstrip("/") if cleaned.startswith("/") else cleaned


def keep_ending(cleaned: str, original: str) -> str:
    """Give a cleaned path the meaningful ending that the original has."""
    if _says_inside(original) and not _says_inside(cleaned):
        cleaned = f"{cleaned.rstrip('/')}/."
    if original.endswith("/") and not cleaned.endswith("/"):
        cleaned += "/"
    return cleaned


def split_entry(path: str) -> tuple[str, str]:
    """Return a path's directory and last name; the latter is `.` where that was asked for."""
    cleaned = clean(path)
    if _says_inside(path):
        return cleaned, "."
    head, _, tail = cleaned.rpartition("/")
    if not head:
        return ("/", tail or "/") if cleaned.startswith("/") else (".", tail)
    return head, tail


def rebase(path: str, resolved: str) -> tuple[str, str]:
    """Return where a link leads with the ending of `path`, and the name to be kept if any."""
    resolved = keep_ending(resolved, path)
    name = base_name(path)
    return resolved, name if name != base_name(resolved) else ""


def place(source: Place, destination: Place) -> Placement:
    """Decide where the archive of `source` goes.

    Raises:
        CommandFailedError: nowhere; in Docker's words.
    """
    if destination.exists and destination.is_dir:
        return Placement(destination.path)
    if destination.exists and source.is_dir:
        raise CommandFailedError("cannot copy directory")
    if not (destination.exists or source.is_dir) and says_directory(destination.path):
        raise CommandFailedError("no such directory")
    directory, new_base = split_entry(destination.path)
    old_base = source.rebase_name or split_entry(source.path)[1]
    return Placement(directory, old_base, new_base)
