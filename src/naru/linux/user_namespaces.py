"""User namespaces with a name in the file system, and network namespaces that belong to one.

A process with threads can neither make nor enter a user namespace. So a small program does, and
waits inside until the namespace has its name; it ends with its input, also when this process is
killed.

Spec: user_namespaces(7), unshare(1), nsenter(1).
"""

from __future__ import annotations

import contextlib
import os
import select
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from naru.errors import FaultError
from naru.linux import mount, process

# Repeats what it is told: an answer says that the program before it has done its work.
_ECHO: Final = "cat"
_TIMEOUT_MS: Final = 30_000


def create_userns(path: Path, uid_map: str, gid_map: str) -> None:
    """Make a user namespace named `path`, with maps as in /proc/pid/uid_map.

    Raises:
        FaultError: the kernel refused, or `path` is in use.
    """
    with _mapped(uid_map, gid_map) as namespace:
        name_namespace(namespace, path)


@contextlib.contextmanager
def temporary_userns(uid_map: str, gid_map: str) -> Iterator[int]:
    """Yield a descriptor of a user namespace that nobody is in, and that has no name.

    What was mounted with its maps keeps them.

    Raises:
        FaultError: the kernel refused.
    """
    with _mapped(uid_map, gid_map) as namespace:
        descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _mapped(uid_map: str, gid_map: str) -> Iterator[Path]:
    """Make a user namespace, and yield its file while a program keeps it."""
    with _waiting(["unshare", "--user", _ECHO]) as pid:
        for name, text in (("uid_map", uid_map), ("gid_map", gid_map)):
            try:
                Path(f"/proc/{pid}/{name}").write_text(text, encoding="ascii")
            except OSError as error:
                raise FaultError(f"write {name} of a user namespace: {error.strerror}") from error
        yield Path(f"/proc/{pid}/ns/user")


def name_namespace(namespace: Path, path: Path) -> None:
    """Give the namespace behind a file of /proc the name `path`, which keeps it alive.

    Raises:
        FaultError: the kernel refused, or `path` is in use.
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444))
    except FileExistsError as error:
        raise FaultError(f"namespace {path} exists already") from error
    try:
        mount.bind(namespace, path, recursive=False)
    except BaseException:
        path.unlink()
        raise


@contextlib.contextmanager
def netns_owned_by(owner: Path) -> Iterator[Path]:
    """Make a network namespace that belongs to the user namespace `owner`; yield its file.

    It is gone after the block, unless something holds it.

    Raises:
        FaultError: the kernel refused.
    """
    with _waiting(["nsenter", f"--user={owner}", "unshare", "--net", _ECHO]) as pid:
        yield Path(f"/proc/{pid}/ns/net")


@contextlib.contextmanager
def _waiting(argv: Sequence[str]) -> Iterator[int]:
    """Run a program that ends in `_ECHO`, and yield its pid once it has come that far."""
    child, question, answer, complaints = _spawn(argv)
    try:
        os.write(question, b"\n")
        poller = select.poll()
        poller.register(answer, select.POLLIN)
        if not poller.poll(_TIMEOUT_MS) or not os.read(answer, 1):
            words = process.read_memory_file(complaints).decode(errors="replace").strip()
            raise FaultError(f"{' '.join(argv)}: {words or 'no answer'}")
        yield child.pid
    finally:
        child.kill()
        child.wait_blocking()
        for descriptor in (question, answer, complaints):
            os.close(descriptor)


def _spawn(argv: Sequence[str]) -> tuple[process.Child, int, int, int]:
    """Start a program; return it with our ends of its input and output, and its complaints."""
    complaints = process.memory_file()
    stdin, question = os.pipe()
    answer, stdout = os.pipe()
    try:
        child = process.spawn(argv, stdin=stdin, stdout=stdout, stderr=complaints)
    except BaseException:
        for descriptor in (complaints, question, answer):
            os.close(descriptor)
        raise
    finally:
        os.close(stdin)
        os.close(stdout)
    return child, question, answer, complaints
