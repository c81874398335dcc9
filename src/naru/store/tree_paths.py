"""Paths of a container, looked at from an open root: what is there, and where links lead.

Names come from users and links from containers; the kernel keeps both inside. Blocks on the disk.
"""

from __future__ import annotations

import os
import posixpath
import stat
from functools import partial

from naru.api.path_stat import PathStat, go_mode
from naru.errors import InvalidInputError, NaruError
from naru.linux import safe_path
from naru.linux.safe_path import without_links
from naru.units import print_rfc3339

_EPOCH = "1970-01-01T00:00:00Z"
_LAST_SECOND = 253402300799
_MAX_LINKS = 255
_NAMED = os.O_PATH | os.O_NOFOLLOW


def absolute(path: str) -> str:
    """Return `path` from the root, without `..`; a slash or a `/.` at its end has a meaning."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    if path.rpartition("/")[2] == ".":
        return clean.rstrip("/") + "/."
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def last_name(path: str) -> str:
    """Return the last name of an absolute path as an archive of it begins: `/` of the root."""
    return path.rstrip("/").rpartition("/")[2] or "/"


def open_named(root: int, path: str) -> int:
    """Open what an absolute path names, a link itself where it is the last name.

    Raises:
        FileNotFoundError: nothing is there.
        InvalidInputError: the path leads nowhere for another reason.
    """
    try:
        return safe_path.open_at(root, path, _NAMED)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise path_failure("lstat", path, error) from error


def open_directory(root: int, path: str) -> tuple[int, bytes]:
    """Open the directory that an absolute path leads to, through links; and say where it is.

    Where it is comes relative to the root, without links. The root must be that of a mount
    namespace, as `linux.file_view` opens it.

    Raises:
        FileNotFoundError: nothing is there.
        InvalidInputError: it is no directory.
    """
    try:
        descriptor = safe_path.open_at(root, path, os.O_PATH)
    except FileNotFoundError:
        raise
    except NotADirectoryError as error:
        raise InvalidInputError("extraction point is not a directory") from error
    except OSError as error:
        raise path_failure("lstat", path, error) from error
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InvalidInputError("extraction point is not a directory")
    return descriptor, os.readlink(b"/proc/self/fd/%d" % descriptor).lstrip(b"/")


def describe(root: int, path: str, descriptor: int) -> PathStat:
    """Say what an open path names, as the API does.

    Raises:
        InvalidInputError: links lead in a circle.
    """
    status = os.fstat(descriptor)
    seconds, fraction = divmod(status.st_mtime_ns, 10**9)
    moment = min(max(seconds, -(2**31)), _LAST_SECOND) * 10**9 + fraction
    return PathStat(
        name=_text(last_name(path)),
        size=status.st_size,
        mode=go_mode(status.st_mode),
        mtime=print_rfc3339(moment) if moment else _EPOCH,
        link_target=link_target(root, path) if stat.S_ISLNK(status.st_mode) else "",
    )


def link_target(root: int, path: str) -> str:
    """Return the absolute path that `path` leads to; what does not exist is kept as it is.

    Raises:
        InvalidInputError: links lead in a circle.
    """
    try:
        return _text(without_links(path, partial(_read_link, root), most_links=_MAX_LINKS))
    except OSError as error:
        raise InvalidInputError(f"evalSymlinksInScope: too many links in {_text(path)}") from error


def path_failure(call: str, path: str, error: OSError) -> NaruError:
    """Return a refused path in Go's words."""
    reason = os.strerror(error.errno or 0).lower()
    return InvalidInputError(f"{call} {_text(path)}: {reason}")


def _read_link(root: int, path: str) -> str | None:
    try:
        descriptor = safe_path.open_at(root, path, _NAMED)
    except OSError:
        return None
    try:
        return os.fsdecode(os.readlink(b"", dir_fd=descriptor))
    except OSError:
        return None
    finally:
        os.close(descriptor)


def _text(path: str) -> str:
    """Return what JSON can carry: bytes that are no UTF-8 show as the replacement character."""
    return os.fsencode(path).decode("utf-8", "replace")
