"""Paths of this machine as `cp` looks at them, with the errors that Go would give."""

from __future__ import annotations

import errno
import os
import stat

from naru.cli.copy_rules import (
    Place,
    base_name,
    clean,
    keep_ending,
    rebase,
    split_entry,
)
from naru.cli.failure import CommandFailedError

_MAX_LINKS = 10


def absolute(path: str) -> str:
    """Return a local path from the root, its ending kept."""
    return keep_ending(clean(os.path.join(os.getcwd(), path)), path)


def source(path: str, *, follows_link: bool) -> Place:
    """Look at a local path that is to be copied.

    Raises:
        CommandFailedError: it is not there, or not what its ending says.
    """
    rebase_name = ""
    if follows_link:
        resolved, rebase_name = rebase(path, _resolved(path))
    else:
        head, slash, tail = path.rpartition("/")
        resolved = f"{_resolved(head + slash).rstrip('/')}/{tail}"
        if path.endswith("/") and base_name(path) != base_name(resolved):
            rebase_name = base_name(path)
    status = _lstat(resolved)
    return Place(
        resolved, exists=True, is_dir=stat.S_ISDIR(status.st_mode), rebase_name=rebase_name
    )


def destination(path: str) -> Place:
    """Look at a local path that is to be copied to; a link stands for what it leads to.

    Raises:
        CommandFailedError: nothing can be put there.
    """
    _check_output(path)
    original = path
    for _ in range(_MAX_LINKS + 1):
        try:
            status = os.lstat(path)
        except FileNotFoundError:
            _check_parent(path)
            return Place(path)
        except OSError as error:
            raise _failure("lstat", path, error) from error
        if not stat.S_ISLNK(status.st_mode):
            return Place(path, exists=True, is_dir=stat.S_ISDIR(status.st_mode))
        path = clean(os.path.join(split_entry(path)[0], os.readlink(path)))
    raise CommandFailedError(f"too many symlinks in {original}")


def _check_output(path: str) -> None:
    parent = split_entry(clean(path))[0]
    if not os.path.exists(parent):
        raise CommandFailedError(f'invalid output path: directory "{parent}" does not exist')
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _failure("stat", path, error) from error
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        raise CommandFailedError(
            f'invalid output path: "{path}" must be a directory or a regular file: got a device'
        )


def _check_parent(path: str) -> None:
    parent = split_entry(path)[0]
    try:
        if not stat.S_ISDIR(os.stat(parent).st_mode):
            raise CommandFailedError("not a directory")
    except OSError as error:
        raise _failure("stat", parent, error) from error


def _resolved(path: str) -> str:
    try:
        return os.path.realpath(path, strict=True)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise CommandFailedError("EvalSymlinks: too many links") from error
        if error.errno == errno.ENOTDIR:
            raise CommandFailedError("not a directory") from error
        raise _failure("lstat", error.filename or path, error) from error


def _lstat(path: str) -> os.stat_result:
    try:
        return os.lstat(path)
    except NotADirectoryError as error:
        raise CommandFailedError("not a directory") from error
    except OSError as error:
        raise _failure("lstat", path, error) from error


def _failure(call: str, path: str, error: OSError) -> CommandFailedError:
    return CommandFailedError(f"{call} {path}: {(error.strerror or str(error)).lower()}")
