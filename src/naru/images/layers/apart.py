"""Unpacking a large layer in a process of its own, while its bytes come.

Files are made with some ten calls of the kernel each, and after each call the interpreter's lock
has to be had again: a thread that unpacks thousands of files and one that receives them keep each
other waiting longer than they work. A process has a lock of its own. It takes some 50 ms to
start, so small layers stay in threads.

The process is given descriptors: of the directory that the layer is for, of the file that the
bytes are in, and of an eventfd that counts them. What it says comes back through a pipe. It dies
with the thread that waits for it, so nobody unpacks what nobody will commit.

For worker threads.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import BinaryIO

from naru.errors import (
    ConflictError,
    CorruptDataError,
    FaultError,
    InvalidInputError,
    NaruError,
    NotSupportedError,
)
from naru.images.layers.apart_main import POSITION, RESULT
from naru.images.layers.arrival import Arrival
from naru.linux import process
from naru.linux.mount import Mount
from naru.store.tar_apply import Applied, opened
from naru.store.tree import NeedsParentError

LARGE = 8 << 20
"""Bytes of a layer, as they come, from which on a process of its own pays off."""
KINDS: dict[str, type[NaruError]] = {
    kind.__name__: kind
    for kind in (
        ConflictError,
        CorruptDataError,
        FaultError,
        InvalidInputError,
        NeedsParentError,
        NotSupportedError,
    )
}
_FAILURE_FIELDS = 3


def apply_apart(
    arrival: Arrival,
    mounts: Sequence[Mount],
    *,
    alone: bool = False,
    is_hashed: bool,
    moved: Callable[[int], object] | None = None,
) -> tuple[str, Applied]:
    """Unpack what arrives, in another process; return the digest of its plain bytes and what it had.

    Without `is_hashed` the layer is plain, its file never shrinks, its digest is somebody else's
    work, and that returned is empty. `moved` is told how many bytes were read; what it raises
    ends the process.

    Raises:
        NaruError: what the arrival ended with, or as `store.tar_apply.apply_to_mounts`, as is
            `alone`.
    """
    source = arrival.descriptor()
    with contextlib.ExitStack() as stack:
        root = stack.enter_context(opened(mounts, alone=alone))
        counter = stack.enter_context(_closing(os.eventfd(0, os.EFD_CLOEXEC)))
        stack.enter_context(arrival.counted_by(counter))
        errors = stack.enter_context(_closing(process.memory_file()))
        heard, said = os.pipe2(os.O_CLOEXEC)
        words = stack.enter_context(open(heard, "rb"))
        argv = [
            *(sys.executable, "-P", "-m", "naru.images.layers.apart_main"),
            *map(str, (root, source, counter)),
            "hashed" if is_hashed else "plain",
            "alone" if alone else "merged",
            "told" if moved else "silent",
            str(os.getpid()),
        ]
        with _closing(said):
            child = process.spawn(
                argv, stdout=said, stderr=errors, pass_fds=(root, source, counter)
            )
        try:
            result = _listen(words, moved)
        finally:
            child.kill()
            status = child.wait_blocking()
        if result is None:
            arrival.raise_failure()
            last = process.read_memory_file(errors).decode(errors="replace")
            raise FaultError(f"unpacking ended with status {status}: {last or 'no output'}")
    return _meaning(arrival, result)


def _listen(words: BinaryIO, moved: Callable[[int], object] | None) -> list[str] | None:
    """Hear a process out; return its result, None if it ended without one."""
    while len(word := words.read(POSITION.size)) == POSITION.size:
        (position,) = POSITION.unpack(word)
        if position == RESULT:
            return words.read().decode(errors="surrogateescape").split("\0")
        if moved:
            moved(position)
    return None


def _meaning(arrival: Arrival, result: list[str]) -> tuple[str, Applied]:
    if len(result) == _FAILURE_FIELDS:
        kind, message, hint = result
        # What was wrong with bytes that are of no use is of no interest.
        arrival.raise_failure()
        raise KINDS[kind](message, hint=hint)
    digest, *numbers = result
    entries, size, has_root, has_removed = map(int, numbers)
    flags = bool(has_root), bool(has_removed)
    return digest, Applied(entries, size, *flags)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
