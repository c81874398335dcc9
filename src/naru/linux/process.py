"""Run a program: argv in, output or `ToolFailedError` out.

Owns every start of a program in the engine. Children are made with `posix_spawn`, which shares
the engine's memory until the exec and so costs the same however large the engine is. A child
gets the descriptors that it is given and no other, default signal dispositions, and is reaped
through a pidfd, so that no zombie stays and no other reaper is disturbed.

Works on any event loop with `add_reader`, and through `run_blocking` on any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import fcntl
import os
import select
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from naru.aio import uncancelled
from naru.errors import ToolFailedError

_TIMED_OUT = "timed out"
_CLOSE_RANGE_CLOEXEC = 4
_MAX_DESCRIPTOR = 0xFFFFFFFF
# spawn.h; the C library's own structures are 336 bytes at most.
_SETSIGDEF, _SETSIGMASK, _SETSID = 0x04, 0x08, 0x80
_OPAQUE_BYTES = 512
# What Python ignores for itself must not be ignored by programs.
_DEFAULT_SIGNALS = (signal.SIGPIPE, signal.SIGXFSZ)

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Completed:
    """How a program ended: exit status, or minus the signal, and what it wrote."""

    status: int
    stdout: bytes
    stderr: bytes

    def error(self, argv: Sequence[str]) -> ToolFailedError:
        """Return the failure as an error with the program's last words."""
        words = self.stderr or self.stdout
        return ToolFailedError(list(argv), self.status, words.decode(errors="replace"))


class Child:
    """A program that was started and is not reaped yet. Use from one thread or loop."""

    def __init__(self, argv: Sequence[str], pid: int) -> None:
        self.argv = list(argv)
        self.pid = pid
        self._pidfd = os.pidfd_open(pid)
        self._status: int | None = None
        self._ended: asyncio.Future[int] | None = None

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal; nothing happens to a child that has ended."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signum)

    async def wait(self) -> int:
        """Wait for the end and return the status. Several tasks of one loop may wait."""
        return await asyncio.shield(self.watch())

    def watch(self) -> asyncio.Future[int]:
        """Reap the child when it ends, without anybody waiting; the future gets its status."""
        if self._ended is None:
            loop = asyncio.get_running_loop()
            self._ended = loop.create_future()
            if self._status is None:
                loop.add_reader(self._pidfd, self._on_end, loop, self._ended)
            else:
                self._ended.set_result(self._status)
        return self._ended

    def _on_end(self, loop: asyncio.AbstractEventLoop, ended: asyncio.Future[int]) -> None:
        loop.remove_reader(self._pidfd)
        status = self._reap()
        if not ended.done():
            ended.set_result(status)

    def wait_blocking(self, timeout: float | None = None) -> int | None:
        """Wait on this thread; None when `timeout` seconds pass first."""
        if self._status is not None:
            return self._status
        poller = select.poll()
        poller.register(self._pidfd, select.POLLIN)
        if not poller.poll(None if timeout is None else timeout * 1000):
            return None
        return self._reap()

    def _reap(self) -> int:
        _, wait_status = os.waitpid(self.pid, 0)
        self._status = os.waitstatus_to_exitcode(wait_status)
        os.close(self._pidfd)
        return self._status


def spawn(
    argv: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    stdin: int | None = None,
    stdout: int | None = None,
    stderr: int | None = None,
    pass_fds: Sequence[int] = (),
    cwd: Path | None = None,
    new_session: bool = False,
) -> Child:
    """Start a program; `/dev/null` stands in for each stream that is not given.

    A program without a slash is looked up in the engine's own PATH. Descriptors in `pass_fds` keep
    their numbers. The caller owns the returned child and must wait for it, or `watch()` it.

    Raises:
        ToolFailedError: with status 127 (no such program) or 126 (cannot be executed).
    """
    _seal_descriptors()
    with _SpawnActions() as actions:
        for number, descriptor in enumerate((stdin, stdout, stderr)):
            if descriptor is None:
                actions.open_null(number)
            else:
                actions.duplicate(descriptor, number)
        for descriptor in pass_fds:
            actions.duplicate(descriptor, descriptor)
        if cwd is not None:
            actions.change_directory(cwd)
        pid = actions.spawn(argv, os.environ if env is None else env, new_session=new_session)
    return Child(argv, pid)


class _SpawnActions:
    """posix_spawn(3) with what `os.posix_spawn` lacks: a working directory.

    The call also lets go of the interpreter's lock, so other threads go on while the child is
    between fork and exec.
    """

    def __init__(self) -> None:
        self._actions = ctypes.create_string_buffer(_OPAQUE_BYTES)
        self._attributes = ctypes.create_string_buffer(_OPAQUE_BYTES)
        _libc.posix_spawn_file_actions_init(self._actions)
        _libc.posix_spawnattr_init(self._attributes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        _libc.posix_spawn_file_actions_destroy(self._actions)
        _libc.posix_spawnattr_destroy(self._attributes)

    def open_null(self, number: int) -> None:
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY
        _libc.posix_spawn_file_actions_addopen(self._actions, number, b"/dev/null", flags, 0)

    def duplicate(self, source: int, target: int) -> None:
        # Onto itself this clears close-on-exec: glibc 2.29 and later, and POSIX since 2024.
        _libc.posix_spawn_file_actions_adddup2(self._actions, source, target)

    def change_directory(self, path: Path) -> None:
        _libc.posix_spawn_file_actions_addchdir_np(self._actions, os.fsencode(path))

    def spawn(self, argv: Sequence[str], env: Mapping[str, str], *, new_session: bool) -> int:
        flags = _SETSIGDEF | _SETSIGMASK | (_SETSID if new_session else 0)
        _libc.posix_spawnattr_setflags(self._attributes, ctypes.c_short(flags))
        signals = ctypes.create_string_buffer(_OPAQUE_BYTES)
        _libc.sigemptyset(signals)
        _libc.posix_spawnattr_setsigmask(self._attributes, signals)
        for signum in _DEFAULT_SIGNALS:
            _libc.sigaddset(signals, int(signum))
        _libc.posix_spawnattr_setsigdefault(self._attributes, signals)
        pid = ctypes.c_int()
        error = _libc.posix_spawnp(
            ctypes.byref(pid),
            os.fsencode(argv[0]),
            self._actions,
            self._attributes,
            _strings(os.fsencode(word) for word in argv),
            _strings(os.fsencode(f"{name}={value}") for name, value in env.items()),
        )
        if error == errno.ENOENT:
            raise ToolFailedError(list(argv), 127, "no such program")
        if error:
            raise ToolFailedError(list(argv), 126, os.strerror(error))
        return pid.value


def _strings(words: Iterable[bytes]) -> ctypes.Array[ctypes.c_char_p]:
    """Return a C array of strings with NULL at its end."""
    items = [*words, None]
    return (ctypes.c_char_p * len(items))(*items)


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    check: bool = True,
) -> Completed:
    """Run a program to its end. A cancelled or timed-out call kills and reaps it first.

    `timeout` is in seconds; None waits for ever. With `check`, a status other than zero raises.

    Raises:
        ToolFailedError: the program is missing, failed, or took longer than `timeout`.
    """
    with _Streams(stdin) as streams:
        child = streams.spawn(argv, env, pass_fds)
        try:
            async with asyncio.timeout(timeout):
                status = await child.wait()
        except TimeoutError as error:
            child.kill()
            await child.wait()
            raise ToolFailedError(list(argv), -signal.SIGKILL, _TIMED_OUT) from error
        except asyncio.CancelledError:
            child.kill()
            await uncancelled(child.wait())
            raise
        return _checked(argv, streams.completed(status), check=check)


def run_blocking(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    check: bool = True,
) -> Completed:
    """Do what `run` does, on the calling thread."""
    with _Streams(stdin) as streams:
        child = streams.spawn(argv, env, pass_fds)
        status = child.wait_blocking(timeout)
        if status is None:
            child.kill()
            child.wait_blocking()
            raise ToolFailedError(list(argv), -signal.SIGKILL, _TIMED_OUT)
        return _checked(argv, streams.completed(status), check=check)


def _checked(argv: Sequence[str], completed: Completed, *, check: bool) -> Completed:
    if check and completed.status != 0:
        raise completed.error(argv)
    return completed


class _Streams:
    """Memory files for a program's streams.

    A file, unlike a pipe, never fills up and needs no reader, and a grandchild that keeps it
    open keeps nobody waiting.
    """

    def __init__(self, stdin: bytes) -> None:
        self._stdin = _memory_file(stdin) if stdin else None
        self._stdout = _memory_file(b"")
        self._stderr = _memory_file(b"")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for descriptor in (self._stdin, self._stdout, self._stderr):
            if descriptor is not None:
                os.close(descriptor)

    def spawn(
        self, argv: Sequence[str], env: Mapping[str, str] | None, pass_fds: Sequence[int]
    ) -> Child:
        return spawn(
            argv,
            env=env,
            stdin=self._stdin,
            stdout=self._stdout,
            stderr=self._stderr,
            pass_fds=pass_fds,
        )

    def completed(self, status: int) -> Completed:
        return Completed(status, read_memory_file(self._stdout), read_memory_file(self._stderr))


def memory_file() -> int:
    """Return an empty file in memory for a program to append to; the caller closes it."""
    return _memory_file(b"")


def _memory_file(content: bytes) -> int:
    descriptor = os.memfd_create("naru")
    if content:
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
    else:
        # Two writers of one file must not overwrite each other.
        fcntl.fcntl(descriptor, fcntl.F_SETFL, os.O_APPEND)
    return descriptor


def read_memory_file(descriptor: int) -> bytes:
    """Return all that was written to a memory file."""
    size = os.fstat(descriptor).st_size
    pieces = []
    offset = 0
    while offset < size and (piece := os.pread(descriptor, size - offset, offset)):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def _seal_descriptors() -> None:
    """Mark all descriptors close-on-exec, also those that libraries or our parent left open."""
    _libc.close_range(ctypes.c_uint(3), ctypes.c_uint(_MAX_DESCRIPTOR), _CLOSE_RANGE_CLOEXEC)


def is_alive(pid: int, started: int) -> bool:
    """Say whether the process `pid` that started at `started` still runs (zombies do not)."""
    return start_time(pid) == started


def kill_group(pid: int, started: int, *, monitor: int) -> None:
    """Kill the process `pid` that started at `started`, and its group unless it is `monitor`'s.

    Does nothing when it is gone.
    """
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # The pid belongs to whom we mean as long as the descriptor is open and it is no zombie.
        if not is_alive(pid, started):
            return
        group = os.getpgid(pid)
        if group not in (monitor, os.getpgrp()):
            os.killpg(group, signal.SIGKILL)
        else:
            signal.pidfd_send_signal(pidfd, signal.SIGKILL)
    except ProcessLookupError:
        return
    finally:
        os.close(pidfd)


def start_time(pid: int) -> int | None:
    """Return when a process started, in ticks since boot; None when it is gone or a zombie.

    Together with the pid it names a process once and for all.

    Spec: proc(5), /proc/pid/stat, field 22.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in brackets may hold anything, brackets included.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def parent_of(pid: int) -> int | None:
    """Return the parent's pid; None when the process is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            stat = file.read()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat[stat.rindex(b")") + 2 :].split()[1])


def name_of(pid: int) -> str:
    """Return the process's own short name; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().rstrip("\n")
    except (FileNotFoundError, ProcessLookupError):
        return ""
