"""Where `-o` writes to: a file that appears whole or not at all, or else stdout.

Spec: moby/sys, atomicwriter; the texts are its.
"""

from __future__ import annotations

import contextlib
import os
import stat

from naru.cli.failure import CommandFailedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from naru.cli.invocation import Invocation

_MODE = 0o600
_SPECIAL = (
    (stat.S_ISDIR, "directory"),
    (stat.S_ISLNK, "symbolic link directly"),
    (stat.S_ISCHR, "character device file"),
    (stat.S_ISBLK, "block device file"),
    (stat.S_ISFIFO, "named pipe (FIFO)"),
    (stat.S_ISSOCK, "socket"),
)


def refuse_output(invocation: Invocation, path: str) -> None:
    """Refuse to write where it would do no good, before anything is asked of the engine.

    Raises:
        CommandFailedError: `path` can be no file, or it is empty and stdout is a terminal.
    """
    if not path:
        if invocation.stdout.isatty():
            raise CommandFailedError(
                "cowardly refusing to save to a terminal. Use the -o flag or redirect"
            )
        return
    folder = os.path.dirname(path) or "."
    try:
        is_directory = stat.S_ISDIR(os.stat(folder).st_mode)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandFailedError(f"invalid output path: stat {folder}: {reason}") from error
    if not is_directory:
        raise CommandFailedError(f"invalid output path: {folder} is not a directory")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    for is_such, name in _SPECIAL:
        if is_such(mode):
            raise CommandFailedError(f"cannot write to a {name}")


def write_output(invocation: Invocation, path: str, pieces: Iterable[bytes]) -> None:
    """Write the pieces to the file `path`, or to stdout if it is empty.

    The file is put in place when all is written; a failure leaves what was there.

    Raises:
        CommandFailedError: the disk is full, or fails.
    """
    if not path:
        for piece in pieces:
            invocation.stdout.buffer.write(piece)
        invocation.stdout.buffer.flush()
        return
    temporary = os.path.join(
        os.path.dirname(path), f".tmp-{os.path.basename(path)[:200]}{os.getpid()}"
    )
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with open(os.open(temporary, flags, _MODE), "wb", buffering=0) as file:
                for piece in pieces:
                    view = memoryview(piece)
                    while view:
                        view = view[file.write(view) :]
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise CommandFailedError(f"write {path}: {reason}") from error
