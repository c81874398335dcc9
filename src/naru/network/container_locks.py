"""One lock per container, for threads; made on first use, forgotten when nobody holds it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class ContainerLocks:
    """Work on one container, one thread at a time."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, tuple[threading.Lock, int]] = {}

    @contextlib.contextmanager
    def hold(self, container_id: str) -> Iterator[None]:
        """Hold the container's lock for the length of the block. Not to be nested."""
        with self._guard:
            lock, users = self._locks.get(container_id) or (threading.Lock(), 0)
            self._locks[container_id] = (lock, users + 1)
        try:
            with lock:
                yield
        finally:
            with self._guard:
                _, users = self._locks[container_id]
                if users == 1:
                    del self._locks[container_id]
                else:
                    self._locks[container_id] = (lock, users - 1)
