"""conmon: one monitor per container, which holds its streams and outlives the engine.

Owns how conmon is started and what it answers. conmon makes the container through the OCI
runtime, writes its log, serves the attach socket, and leaves the exit code in a file. It leads
a session of its own, has no descriptor of ours but the pipe it answers on, and on machines whose
service manager kills by cgroup it leaves the engine's.

Spec: conmon 2.1, docs/conmon.8.md; the answer on `_OCI_SYNCPIPE` is one line of JSON with `data`
(the pid, or a negative number) and perhaps `message` (the runtime's stderr).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from naru.aio import in_thread
from naru.errors import FaultError, InvalidInputError, NotSupportedError
from naru.faults import fault_point
from naru.linux import cgroup, process
from naru.runtime import refusals
from naru.runtime.bundle import Bundle, Monitored, read_spec
from naru.runtime.oci_runtime import OciRuntime

_BEFORE_CREATE = fault_point("runtime.conmon.before_create")
_AFTER_SPAWN = fault_point("runtime.conmon.after_spawn")
_AFTER_CREATE = fault_point("runtime.conmon.after_create")

# Room for a hundred starts at once on a small machine; a runtime that hangs is given up then.
_TIMEOUT_S: Final = 120.0
_DATA = re.compile(rb'\{"data": ?(-?\d+)(?:, ?"message": ?"(.*)")?\}\s*\Z', re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
# sun_path less the name of conmon's own socket, "/conmon-term.XXXXXX" and its zero byte.
_MAX_SOCKET_DIRECTORY = 108 - 20


@dataclass(frozen=True, slots=True)
class MonitorOptions:
    """How conmon treats a container's streams; no `log_path` means no log."""

    terminal: bool = False
    open_stdin: bool = False
    stdin_once: bool = False
    log_path: Path | None = None
    exit_dir: Path = Path("exits")


@dataclass(frozen=True, slots=True)
class Created:
    """The first process of a container, waiting to be started, and its monitor."""

    pid: int
    conmon_pid: int


class Answer:
    """One line from conmon: a number, and the runtime's words when it failed."""

    def __init__(self, line: bytes) -> None:
        match = _DATA.match(line)
        if match is None:
            raise FaultError(f"conmon answered {line[:200]!r}")
        self.data = int(match[1])
        self.message = _unescape((match[2] or b"").decode(errors="replace"))


def _unescape(text: str) -> str:
    """Undo conmon's escapes, which are almost but not quite JSON."""

    def plain(match: re.Match[str]) -> str:
        code = match[1]
        return chr(int(code[1:], 16)) if len(code) == 5 else _ESCAPED.get(code, code)

    return _ESCAPE.sub(plain, text)


class AnswerPipe:
    """The read end of a pipe that conmon writes lines to. Loop only."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._buffer = b""

    def close_writer(self) -> None:
        """Leave conmon the only writer, so that its end is noticed. Idempotent."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def close(self) -> None:
        """Close both ends. Idempotent."""
        self.close_writer()
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1

    async def line(self) -> bytes:
        """Return the next line without its end; b"" when conmon closed the pipe."""
        loop = asyncio.get_running_loop()
        while b"\n" not in self._buffer:
            try:
                piece = os.read(self._reader, 65536)
            except BlockingIOError:
                ready = loop.create_future()
                loop.add_reader(self._reader, _set, ready)
                try:
                    await ready
                finally:
                    loop.remove_reader(self._reader)
                continue
            if not piece:
                break
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


async def create(
    runtime: OciRuntime, bundle: Bundle, container_id: str, options: MonitorOptions
) -> Created:
    """Make the container of a bundle whose spec is written; it waits to be started.

    Neither atomic nor idempotent: after a failure, a cancellation or a crash the caller deletes
    the container by force, and what is left goes.

    Raises:
        StartFailedError: the runtime refused; the text and the exit code are Docker's.
        FaultError: conmon failed or hung.
        NotSupportedError: conmon is not installed.
    """
    for stale in (options.exit_dir / container_id, *_stale_files(bundle)):
        stale.unlink(missing_ok=True)
    options.exit_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    _BEFORE_CREATE()
    argv = [
        *monitor_argv(runtime, bundle, container_id, container_id, terminal=options.terminal),
        *("--exit-dir", str(options.exit_dir), "-l", _log_option(options.log_path)),
        *stdin_options(options),
    ]
    with monitor(argv, bundle) as started:
        answer = await started.answer()
        if answer is None or answer.data < 0:
            message = await in_thread(complaint, started, answer, bundle)
            spec = await in_thread(read_spec, bundle)
            raise refusals.start_failed(runtime.name, message, process_of(spec["process"]))
        bundle.write_processes(answer.data, started.child.pid)
        started.keep()
    _AFTER_CREATE()
    return Created(answer.data, started.child.pid)


def complaint(started: StartedMonitor, answer: Answer | None, monitored: Monitored) -> str:
    """Return why nothing was started, from whoever said it."""
    if answer is not None and answer.message:
        return answer.message
    with contextlib.suppress(FileNotFoundError):
        if logged := monitored.runtime_log.read_text(encoding="utf-8", errors="replace"):
            return logged
    return started.last_words()


def _stale_files(monitored: Monitored) -> Sequence[Path]:
    return (
        monitored.exit_file,
        monitored.oom_file,
        monitored.pidfile,
        monitored.processes_file,
        monitored.control_fifo,
        monitored.winsize_fifo,
        monitored.runtime_log,
    )


def process_of(process_spec: object) -> refusals.Process:
    """Return what error texts say of a process of the runtime spec."""
    if not isinstance(process_spec, dict):
        return refusals.NO_PROCESS
    argv = tuple(str(word) for word in process_spec.get("args") or ())
    return refusals.Process(argv, str(process_spec.get("cwd", "/")))


def monitor_argv(
    runtime: OciRuntime, monitored: Monitored, container_id: str, unique_id: str, *, terminal: bool
) -> list[str]:
    """Return conmon's command line as far as containers and execs share it.

    With a terminal the runtime logs to a file too: what crun complains of inside the container
    goes to the terminal then, where conmon does not look for it.
    """
    argv = ["conmon", "--api-version", "1", "--sync", "--full-attach", "--no-sync-log"]
    argv += ["-c", container_id, "-u", unique_id, "-r", runtime.program]
    logging = ["--log", str(monitored.runtime_log)] if terminal else []
    for word in (*runtime.arguments(), *logging):
        argv += ["--runtime-arg", word]
    argv += ["-b", str(monitored.path), "-p", str(monitored.pidfile)]
    argv += ["--persist-dir", str(monitored.path)]
    return [*argv, "-t"] if terminal else argv


def stdin_options(options: MonitorOptions) -> list[str]:
    """Return conmon's words for who may write, and what happens when they stop."""
    if options.terminal or not options.open_stdin:
        return []
    return ["-i"] if options.stdin_once else ["-i", "--leave-stdin-open"]


def _log_option(path: Path | None) -> str:
    if path is None:
        return "none"
    if ":" in str(path):
        raise InvalidInputError(f"log path {path} contains a colon")
    return f"k8s-file:{path}"


class StartedMonitor:
    """A conmon that was spawned and has not answered yet."""

    def __init__(
        self, child: process.Child, pipe: AnswerPipe, errors: int, attach_pipe: AnswerPipe | None
    ) -> None:
        self.child = child
        self.pipe = pipe
        self.attach_pipe = attach_pipe
        self._errors = errors
        self.kept = False

    async def answer(self) -> Answer | None:
        """Return the next answer, or None when conmon ended without one."""
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                line = await self.pipe.line()
                if line:
                    return Answer(line)
                await self.child.wait()
                return None
        except TimeoutError as error:
            raise FaultError(f"conmon or the runtime hung for {_TIMEOUT_S:.0f} s") from error

    def last_words(self) -> str:
        """Return what conmon itself complained of."""
        words = process.read_memory_file(self._errors).decode(errors="replace").strip()
        return words or "conmon ended without a word"

    def keep(self) -> None:
        """Let conmon live on when the block ends."""
        self.kept = True


@contextlib.contextmanager
def monitor(
    argv: Sequence[str], monitored: Monitored, *, start_pipe: int = -1, attach: bool = False
) -> Iterator[StartedMonitor]:
    """Spawn conmon for the length of the block; it is killed at the end unless kept.

    Raises:
        NotSupportedError: conmon is not installed.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise NotSupportedError("conmon is not installed", hint="install the package conmon")
    with contextlib.ExitStack() as stack:
        pipe = AnswerPipe()
        stack.callback(pipe.close)
        errors = process.memory_file()
        stack.callback(os.close, errors)
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            # Log lines carry UTC, so that they compare as text.
            "TZ": "UTC0",
            "TMPDIR": str(console_directory(monitored)),
            "_OCI_SYNCPIPE": str(pipe.writer),
        }
        passed = [pipe.writer]
        attach_pipe = None
        if attach:
            attach_pipe = AnswerPipe()
            stack.callback(attach_pipe.close)
            env["_OCI_ATTACHPIPE"] = str(attach_pipe.writer)
            passed.append(attach_pipe.writer)
        if start_pipe >= 0:
            env["_OCI_STARTPIPE"] = str(start_pipe)
            passed.append(start_pipe)
        child = process.spawn(
            [program, *argv[1:]],
            env=env,
            stderr=errors,
            pass_fds=passed,
            # conmon v2.1 drops a file into its working directory when memory runs out.
            cwd=monitored.path,
            new_session=True,
        )
        child.watch()
        cgroup.leave_service(child.pid)
        pipe.close_writer()
        if attach_pipe is not None:
            attach_pipe.close_writer()
        _AFTER_SPAWN()
        started = StartedMonitor(child, pipe, errors, attach_pipe)
        try:
            yield started
        finally:
            if not started.kept:
                child.kill()


def console_directory(monitored: Monitored) -> Path:
    """Return a private directory for the socket that hands over a terminal; made if missing.

    The socket's whole path must fit into 108 bytes, so a long `exec_root` gets a short stand-in.
    """
    exec_root = monitored.path.parent.parent
    directory = exec_root / "t"
    if len(os.fsencode(directory)) > _MAX_SOCKET_DIRECTORY:
        digest = hashlib.sha256(os.fsencode(exec_root)).hexdigest()[:16]
        directory = Path("/run") / f"naru-terminals-{digest}"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory
