"""Which container or exec has ended, when, and how.

Owns the directory of exit files and the watch over processes. conmon leaves one file per ended
process, by rename, so a file is whole once it is there; files stay until the engine has
recorded the exit and calls `forget`, so that none is lost to a crash. If conmon itself was
killed, the exit is noticed through the kernel; how the process ended nobody knows then, and
`UNKNOWN_EXIT_CODE` is reported.

Loop only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from naru.clock import Clock
from naru.ids import is_full_id
from naru.linux import process
from naru.linux.fs import write_atomic
from naru.linux.inotify import Event, Inotify, Mask
from naru.runtime import attach, container_cgroup
from naru.runtime import bundle as bundles
from naru.runtime.bundle import Monitored, Processes

_log = logging.getLogger(__name__)

# What dockerd reports for a container whose end it did not see.
UNKNOWN_EXIT_CODE = 255


@dataclass(frozen=True, slots=True)
class ContainerExit:
    """The end of a container's or an exec's first process."""

    id: str
    exit_code: int
    finished_ns: int
    oom_killed: bool = False


OnExit = Callable[[ContainerExit], None]


class ExitWatcher:
    """Reports each exit once, as it happens, or at `start` if it happened before.

    Containers report through `<exec_root>/exits`, execs through their own directories below
    `<exec_root>/x`.
    """

    def __init__(self, exec_root: Path, clock: Clock) -> None:
        self._exec_root = exec_root
        self._exit_dir = exec_root / "exits"
        self._clock = clock
        self._on_exit: OnExit = _ignore
        self._inotify: Inotify | None = None
        self._exec_watches: dict[int, str] = {}
        self._pidfds: dict[str, set[int]] = {}
        self._reported: set[str] = set()

    def start(self, on_exit: OnExit) -> None:
        """Report the exits that are there, and from now on each as it comes."""
        self._on_exit = on_exit
        self._exit_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._inotify = Inotify(self._events)
        self._inotify.watch(self._exit_dir, Mask.MOVED_TO | Mask.CLOSE_WRITE)
        self.scan()

    def close(self) -> None:
        """Stop watching; containers and files stay. Idempotent."""
        if self._inotify is not None:
            self._inotify.close()
            self._inotify = None
        for container_id in list(self._pidfds):
            self._unwatch(container_id)

    def scan(self) -> None:
        """Report every exit that is there and was not reported."""
        with contextlib.suppress(FileNotFoundError):
            for name in os.listdir(self._exit_dir):
                self._report(name)

    def watch(self, container_id: str) -> bool:
        """Follow the processes of a container's bundle; False when none of them runs.

        Call it after each start, and after the engine's own start for each container that ran.
        Without it exits are reported only as long as conmon lives.
        """
        monitored = bundles.existing(self._exec_root, container_id)
        return self._follow(container_id, monitored, self._exit_dir / container_id)

    def watch_exec(self, exec_id: str) -> bool:
        """Follow the process of an exec; False when it has ended, which is reported then."""
        monitored = Monitored(self._exec_root / "x" / exec_id)
        if self._inotify is not None:
            with contextlib.suppress(FileNotFoundError):
                watch = self._inotify.watch(monitored.path, Mask.MOVED_TO)
                self._exec_watches[watch] = exec_id
        if monitored.exit_file.exists():
            self._report(exec_id)
            return False
        return self._follow(exec_id, monitored, monitored.exit_file)

    def take(self, container_id: str) -> ContainerExit | None:
        """Return the exit of a container or exec if it is known."""
        path = self._exit_dir / container_id
        monitored = bundles.existing(self._exec_root, container_id)
        oom_killed = False
        if not path.exists():
            path = self._exec_root / "x" / container_id / "exit"
        else:
            oom_killed = container_cgroup.oom_killed(monitored)
        try:
            finished_ns = path.stat().st_mtime_ns
            code = int(path.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        # conmon says -1 when it could not wait for the process.
        code = code if code >= 0 else UNKNOWN_EXIT_CODE
        return ContainerExit(container_id, code, finished_ns, oom_killed)

    def forget(self, container_id: str) -> None:
        """Delete the exit of a container or exec, which is recorded now. Idempotent."""
        (self._exit_dir / container_id).unlink(missing_ok=True)
        self._reported.discard(container_id)
        self._unwatch(container_id)
        for watch, exec_id in list(self._exec_watches.items()):
            if exec_id == container_id:
                del self._exec_watches[watch]
                if self._inotify is not None:
                    self._inotify.unwatch(watch)

    def _events(self, events: list[Event]) -> None:
        for event in events:
            if event.mask & Mask.OVERFLOW:
                self.scan()
                for exec_id in list(self._exec_watches.values()):
                    self._report(exec_id)
            elif event.watch in self._exec_watches:
                if event.mask & Mask.IGNORED:
                    del self._exec_watches[event.watch]
                elif event.name == "exit":
                    self._report(self._exec_watches[event.watch])
            else:
                self._report(event.name)

    def _report(self, name: str) -> None:
        # The temporary file of a rename has a longer name.
        if not is_full_id(name) or name in self._reported:
            return
        found = self.take(name)
        if found is None:
            return
        self._reported.add(name)
        self._unwatch(name)
        self._on_exit(found)

    def _follow(self, container_id: str, monitored: Monitored, exit_file: Path) -> bool:
        processes = monitored.processes()
        if processes is None or exit_file.exists():
            return False
        self._unwatch(container_id)
        conmon_alive = self._on_end(
            container_id,
            processes.conmon_pid,
            processes.conmon_started,
            lambda: self._conmon_ended(container_id, processes, exit_file),
        )
        alive = self._on_end(
            container_id,
            processes.pid,
            processes.pid_started,
            lambda: attach.drain_connections(monitored.attach_socket),
        )
        if not conmon_alive:
            self._conmon_ended(container_id, processes, exit_file)
        return alive

    def _conmon_ended(self, container_id: str, processes: Processes, exit_file: Path) -> None:
        if exit_file.exists():
            return
        _log.warning("conmon of %s is gone without leaving an exit code", container_id)
        alive = self._on_end(
            container_id,
            processes.pid,
            processes.pid_started,
            lambda: self._lost(exit_file),
        )
        if not alive:
            self._lost(exit_file)

    def _lost(self, exit_file: Path) -> None:
        """Leave the file that conmon could not leave; inotify reports it like any other."""
        with contextlib.suppress(FileNotFoundError):
            if not exit_file.exists():
                write_atomic(exit_file, str(UNKNOWN_EXIT_CODE))

    def _on_end(self, container_id: str, pid: int, started: int, act: Callable[[], None]) -> bool:
        """Call `act` when a process ends; False when it has ended."""
        if pid <= 0:
            return False
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return False
        if not process.is_alive(pid, started):
            os.close(pidfd)
            return False
        loop = asyncio.get_running_loop()

        def ended() -> None:
            self._drop(container_id, pidfd)
            act()

        loop.add_reader(pidfd, ended)
        self._pidfds.setdefault(container_id, set()).add(pidfd)
        return True

    def _drop(self, container_id: str, pidfd: int) -> None:
        owned = self._pidfds.get(container_id)
        if owned is None or pidfd not in owned:
            return
        owned.discard(pidfd)
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)
        if not owned:
            del self._pidfds[container_id]

    def _unwatch(self, container_id: str) -> None:
        for pidfd in list(self._pidfds.get(container_id, ())):
            self._drop(container_id, pidfd)


def _ignore(_: ContainerExit) -> None:
    """Stand in until `start` is called."""
