"""A second process in a running container, with a conmon of its own.

Owns the directories `<exec_root>/x/<exec_id>/`: the process spec, conmon's socket and fifos, the
pid and, after the end, the exit code, which `exits.ExitWatcher` reports under the exec's id. As
with containers, neither the process nor its exit code needs the engine to live on.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from naru.aio import in_thread
from naru.errors import ConflictError, FaultError
from naru.faults import fault_point
from naru.linux import process
from naru.linux.fs import remove_tree, write_all
from naru.runtime import conmon, refusals
from naru.runtime.attach import AttachConnection
from naru.runtime.bundle import Bundle, Monitored
from naru.runtime.oci_runtime import OciRuntime

_AFTER_SPEC = fault_point("runtime.exec.after_spec")
_AFTER_SPAWN = fault_point("runtime.exec.after_spawn")
_AFTER_START = fault_point("runtime.exec.after_start")

# The file that marks an exec that ends with its engine.
_REMOVALS = 20
_REMOVAL_PAUSE_S = 0.05
_MORTAL = "mortal"


@dataclass(frozen=True, slots=True)
class ExecOptions:
    """How an exec and its streams are treated; `console_size` is (rows, columns).

    One that `ends_with_engine` is killed by the next engine's `kill_orphan`.
    """

    terminal: bool = False
    open_stdin: bool = False
    attach: bool = False
    console_size: tuple[int, int] | None = None
    exit_dir: Path | None = None
    ends_with_engine: bool = False
    # Who the process is on the host, where that is another than it says.
    host_user: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ExecStarted:
    """A running exec; `connection` is there when it was to be attached to."""

    pid: int
    conmon_pid: int
    connection: AttachConnection | None


async def start(
    runtime: OciRuntime,
    bundle: Bundle,
    exec_dir: Path,
    exec_id: str,
    process: Mapping[str, Any],
    options: ExecOptions,
) -> ExecStarted:
    """Run `process` (a process of the runtime spec) in the container of `bundle`.

    With `attach` the connection is made before the process runs, so no output is missed. Follow
    with `ExitWatcher.watch_exec`. After a failure nothing is left; after the end the caller
    removes the directory with `remove`.

    Raises:
        StartFailedError: the runtime refused; the text and the exit code are Docker's.
        ConflictError: the container ended meanwhile.
        FaultError: conmon failed or hung.
    """
    monitored = Monitored(exec_dir)
    await in_thread(_prepare, monitored, process, options)
    _AFTER_SPEC()
    started = None
    try:
        uid = process["user"]["uid"]
        started = await _start(runtime, bundle, monitored, exec_id, options, uid)
    finally:
        if started is None:
            remove_tree(exec_dir)
    _AFTER_START()
    return started


def remove(exec_root: Path, exec_id: str) -> None:
    """Delete what an ended exec left. Blocking, idempotent.

    A monitor that is on its way out may still leave its last files there meanwhile.

    Raises:
        OSError: something cannot be removed.
    """
    for _ in range(_REMOVALS):
        try:
            return remove_tree(exec_root / "x" / exec_id)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
        time.sleep(_REMOVAL_PAUSE_S)
    return remove_tree(exec_root / "x" / exec_id)


def kill(exec_root: Path, exec_id: str) -> None:
    """Kill an exec and its process group; its exit is reported like any other. Idempotent."""
    processes = Monitored(exec_root / "x" / exec_id).processes()
    if processes is not None:
        monitor = processes.conmon_pid
        process.kill_group(processes.pid, processes.pid_started, monitor=monitor)


def kill_orphan(exec_root: Path, exec_id: str) -> None:
    """Kill an exec that was to end with the engine that started it; leave others alone."""
    if (exec_root / "x" / exec_id / _MORTAL).exists():
        kill(exec_root, exec_id)


def walk(exec_root: Path) -> list[str]:
    """Return the ids of all execs that have a directory."""
    try:
        return sorted(os.listdir(exec_root / "x"))
    except FileNotFoundError:
        return []


def _prepare(monitored: Monitored, process: Mapping[str, Any], options: ExecOptions) -> None:
    monitored.path.mkdir(mode=0o700, parents=True)
    spec = dict(process)
    spec["terminal"] = options.terminal
    spec.pop("consoleSize", None)
    if options.terminal and options.console_size:
        rows, columns = options.console_size
        spec["consoleSize"] = {"height": rows, "width": columns}
    if options.ends_with_engine:
        (monitored.path / _MORTAL).touch()
    (monitored.path / "process.json").write_bytes(msgspec.json.encode(spec))


async def _start(
    runtime: OciRuntime,
    bundle: Bundle,
    monitored: Monitored,
    exec_id: str,
    options: ExecOptions,
    uid: int,
) -> ExecStarted:
    container_id = bundle.path.name
    argv = [
        *conmon.monitor_argv(runtime, monitored, container_id, exec_id, terminal=options.terminal),
        *("-e", "--exec-process-spec", str(monitored.path / "process.json"), "-l", "none"),
    ]
    # Runtimes give the streams to the user, and crun so gives away /dev/null of the host: who is
    # not root gets a pipe that ends at once.
    is_given_away = uid != 0 and options.host_user is None and not options.terminal
    empty_stdin = is_given_away and not options.open_stdin
    if empty_stdin or (options.open_stdin and not options.terminal):
        argv.append("-i")
    if not (options.attach or options.host_user or empty_stdin):
        with conmon.monitor(argv, monitored) as started:
            _AFTER_SPAWN()
            return await _answered(started, monitored, None)
    start_reader, start_writer = os.pipe()
    try:
        with conmon.monitor(
            [*argv, "--exec-attach"], monitored, start_pipe=start_reader, attach=True
        ) as started:
            _AFTER_SPAWN()
            # conmon waits for a byte twice: before it does anything, and before the exec.
            write_all(start_writer, b"\n")
            connection = await _attached(started, monitored)
            try:
                if empty_stdin:
                    await connection.close_stdin()
                if options.host_user is not None:
                    await in_thread(_give_pipes, started.child.pid, options.host_user)
                write_all(start_writer, b"\n")
                answered = await _answered(started, monitored, connection)
            finally:
                if not started.kept or not options.attach:
                    connection.close()
            return answered if options.attach else replace(answered, connection=None)
    finally:
        os.close(start_reader)
        os.close(start_writer)


def _give_pipes(conmon_pid: int, host_user: tuple[int, int]) -> None:
    """Let the process open its own streams by name: inside its user namespace nobody could."""
    for entry in os.scandir(f"/proc/{conmon_pid}/fd"):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.stat(entry.path).st_mode):
                os.chown(entry.path, *host_user)


async def _attached(started: conmon.StartedMonitor, monitored: Monitored) -> AttachConnection:
    assert started.attach_pipe is not None
    if not await started.attach_pipe.line():
        await started.child.wait()
        raise FaultError(f"conmon made no attach socket: {started.last_words()}")
    return await AttachConnection.connect(monitored.attach_socket)


async def _answered(
    started: conmon.StartedMonitor, monitored: Monitored, connection: AttachConnection | None
) -> ExecStarted:
    answer = await started.answer()
    if answer is None or answer.data < 0:
        message = await in_thread(conmon.complaint, started, answer, monitored)
        if refusals.is_unknown_container(message) or refusals.is_wrong_state(message):
            raise ConflictError(refusals.last_words(message))
        spec = msgspec.json.decode((monitored.path / "process.json").read_bytes())
        raise refusals.exec_failed(message, conmon.process_of(spec))
    monitored.write_processes(answer.data, started.child.pid)
    started.keep()
    return ExecStarted(answer.data, started.child.pid, connection)
