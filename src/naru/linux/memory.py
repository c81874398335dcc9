"""Keeping the engine small: how the C library hands memory back to the kernel.

Spec: mallopt(3).
"""

from __future__ import annotations

import ctypes
import logging

_log = logging.getLogger(__name__)
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
_LARGE_BLOCK = 256 << 10


def give_back_memory() -> None:
    """Tell malloc to return what large blocks took as soon as they are free.

    Loading an image moves hundreds of megabytes through buffers on many threads; by default
    each thread's arena keeps its share for ever. Call it once, before threads start. Harmless
    where the C library is another one.
    """
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallopt"):
        _log.debug("this C library has no mallopt")
        return
    libc.mallopt(_M_ARENA_MAX, 2)
    libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
    libc.mallopt(_M_TRIM_THRESHOLD, _LARGE_BLOCK)
