"""Notices of groups that run out of memory, as the kernel gives them in both versions.

Version 1 rings an eventfd for each group; version 2 changes a file, which inotify sees. Loop
only; `close()` ends it.

Spec: Linux, Documentation/admin-guide/cgroup-v1/memory.rst, OOM Control; cgroup-v2.rst,
memory.events.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from naru.linux import cgroup
from naru.linux.inotify import Event, Inotify, Mask


class OomNotices:
    """Calls `on_notice` with the group, on the loop, whenever it may have run out of memory.

    A notice is no proof: version 2 gives one for every event of memory. It comes before the
    kernel has killed in version 1, and after in version 2.
    """

    def __init__(self, on_notice: Callable[[str], None], root: Path = cgroup.ROOT) -> None:
        self._on_notice = on_notice
        self._root = root
        self._loop = asyncio.get_running_loop()
        self._eventfds: dict[str, int] = {}
        self._watches: dict[str, int] = {}
        self._inotify = Inotify(self._changed) if cgroup.version(root) == 2 else None

    def add(self, group: str) -> None:
        """Listen for a group's notices. Harmless when it listens already.

        Raises:
            OSError: the group is gone, or the kernel has no such notices.
        """
        if group in self._eventfds or group in self._watches:
            return
        directory = cgroup.directory(group, "memory", self._root)
        if self._inotify is not None:
            self._watches[group] = self._inotify.watch(directory / "memory.events", Mask.MODIFY)
            return
        eventfd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        try:
            _ring(eventfd, directory)
        except OSError:
            os.close(eventfd)
            raise
        self._eventfds[group] = eventfd
        self._loop.add_reader(eventfd, self._rung, group, eventfd)

    def remove(self, group: str) -> None:
        """Listen no more. Idempotent."""
        eventfd = self._eventfds.pop(group, None)
        if eventfd is not None:
            self._loop.remove_reader(eventfd)
            os.close(eventfd)
        watch = self._watches.pop(group, None)
        if watch is not None and self._inotify is not None:
            self._inotify.unwatch(watch)

    def close(self) -> None:
        """Listen to nobody any more. Idempotent."""
        for group in list(self._eventfds):
            self.remove(group)
        self._watches.clear()
        if self._inotify is not None:
            self._inotify.close()

    def _rung(self, group: str, eventfd: int) -> None:
        os.eventfd_read(eventfd)
        # The kernel rings once more when it removes the group.
        if cgroup.exists(group, self._root):
            self._on_notice(group)

    def _changed(self, events: list[Event]) -> None:
        changed = {event.watch for event in events if not event.mask & Mask.IGNORED}
        is_complete = not any(event.mask & Mask.OVERFLOW for event in events)
        for group, watch in list(self._watches.items()):
            if watch in changed or not is_complete:
                self._on_notice(group)


def _ring(eventfd: int, directory: Path) -> None:
    control = os.open(directory / "memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
    try:
        requests = os.open(directory / "cgroup.event_control", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(requests, f"{eventfd} {control}".encode("ascii"))
        finally:
            os.close(requests)
    finally:
        os.close(control)
