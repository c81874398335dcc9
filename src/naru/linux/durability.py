"""What survives a power cut: whole filesystems written to their disk, and boots told apart."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

_libc = ctypes.CDLL(None, use_errno=True)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Return what names the time between one start of the kernel and the next."""
    return _BOOT_ID.read_text(encoding="ascii").strip()


def sync_filesystem(path: Path) -> None:
    """Write to disk all that was written so far to the filesystem of `path`. May take seconds.

    Raises:
        OSError: the disk failed; what was written may be lost.

    Spec: syncfs(2).
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if _libc.syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), os.fspath(path))
    finally:
        os.close(descriptor)
