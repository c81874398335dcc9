"""Keeping the engine small: how the C library hands memory back to the kernel.

Spec: mallopt(3), malloc_trim(3).
"""

from __future__ import annotations

import ctypes
import logging

_log = logging.getLogger(__name__)
_M_TRIM_THRESHOLD = -1
_M_MMAP_THRESHOLD = -3
_M_ARENA_MAX = -8
# Blocks below are used again and again; those above come from the kernel, page by page, each time.
_LARGE_BLOCK = 1 << 20
_KEPT = 16 << 20
_libc = ctypes.CDLL(None)


def bound_memory() -> None:
    """Tell malloc how much free memory it may keep: 16 MB in each of two arenas.

    Images move hundreds of megabytes through buffers on many threads; by default each thread's
    arena keeps its share for ever. Call it once, before threads start. Harmless where the C
    library is another one.
    """
    if not hasattr(_libc, "mallopt"):
        _log.debug("this C library has no mallopt")
        return
    _libc.mallopt(_M_ARENA_MAX, 2)
    _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BLOCK)
    _libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)


def give_back_memory() -> None:
    """Give the kernel what is free now, when work that moved much is done. Takes milliseconds."""
    if hasattr(_libc, "malloc_trim"):
        _libc.malloc_trim(0)
