"""What the test processes of a machine divide among themselves: numbers, held by file locks."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from pathlib import Path
from typing import IO


def claim(kind: str, numbers: Iterable[int]) -> tuple[int, IO[str]]:
    """Take the first number that no other process has; it is free again when the file is closed.

    Raises:
        RuntimeError: all of them are taken.
    """
    folder = Path(f"/tmp/naru-test-{kind}")
    folder.mkdir(exist_ok=True)
    for number in numbers:
        handle = (folder / str(number)).open("w")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            handle.close()
        else:
            return number, handle
    raise RuntimeError(f"none of the {kind} is free for tests")
