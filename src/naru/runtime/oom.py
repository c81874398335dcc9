"""Which containers run out of memory while they run.

What is told here is that it happened, also to a process that is not the first one; how a
container ended belongs to `runtime.exits`. Loop only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from naru.linux import cgroup
from naru.linux.cgroup_oom import OomNotices

_log = logging.getLogger(__name__)


class OomWatcher:
    """Reports the containers that it watches, each time that the kernel kills in one of them."""

    def __init__(self) -> None:
        self._notices: OomNotices | None = None
        self._on_oom: Callable[[str], None] = _ignore
        self._groups: dict[str, str] = {}
        self._containers: dict[str, str] = {}
        self._kills: dict[str, int] = {}

    def start(self, on_oom: Callable[[str], None]) -> None:
        """Report to `on_oom`, by the container's id, from now on."""
        self._on_oom = on_oom
        self._notices = OomNotices(self._noticed)

    def close(self) -> None:
        """Report no more. Idempotent."""
        if self._notices is not None:
            self._notices.close()
            self._notices = None

    def watch(self, container_id: str, group: str) -> bool:
        """Watch a container's group; say whether the kernel has killed in it already."""
        assert self._notices is not None
        try:
            self._notices.add(group)
        except OSError as error:
            # It has ended, or the machine does not count memory; its exit tells the rest.
            _log.debug("container %s: no notice of memory: %s", container_id[:12], error)
            return False
        self._groups[container_id] = group
        self._containers[group] = container_id
        self._kills[group] = cgroup.oom_kills(group)
        return self._kills[group] > 0

    def unwatch(self, container_id: str) -> None:
        """Watch a container no more. Idempotent."""
        group = self._groups.pop(container_id, None)
        if group is not None and self._notices is not None:
            self._notices.remove(group)
            del self._containers[group], self._kills[group]

    def _noticed(self, group: str) -> None:
        if cgroup.version() == 2:
            kills = cgroup.oom_kills(group)
            if kills <= self._kills[group]:
                return
            self._kills[group] = kills
        self._on_oom(self._containers[group])


def _ignore(_: str) -> None:
    """Stand in until `start` is called."""
