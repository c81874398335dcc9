"""Starting an engine when there is none: only on the default socket, and only for root."""

from __future__ import annotations

import fcntl
import os
import time

from naru.client.transport import Client
from naru.errors import FaultError, UnavailableError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from naru.client.endpoint import Endpoint

LOG_PATH = "/var/log/naru.log"
_PATIENCE_S = 15.0
_PAUSE_S = 0.02


def ensure_engine(endpoint: Endpoint, stderr: TextIO) -> None:
    """Start `narud` unless somebody listens; wait until it answers.

    Does nothing for users other than root: their command then says that it cannot connect.

    Raises:
        FaultError: the engine did not come up; its log says why.
    """
    if os.geteuid() != 0 or _answers(endpoint):
        return
    program = _engine_program()
    if program is None:
        return
    lock = os.open(LOG_PATH, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        # Of several commands at once one starts the engine, and the others wait for it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _answers(endpoint):
            pid = _spawn(program)
            stderr.write(f"No engine was running: started {program[-1]}, its log is {LOG_PATH}\n")
            stderr.flush()
            _await(endpoint, pid)
    finally:
        os.close(lock)


def _await(endpoint: Endpoint, pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not _answers(endpoint):
        ended, _ = os.waitpid(pid, os.WNOHANG)
        if ended and not _answers(endpoint):
            raise FaultError(f"the engine ended while it started: see {LOG_PATH}")
        if time.monotonic() > deadline:
            raise FaultError(
                f"the engine does not answer after {_PATIENCE_S:.0f} s: see {LOG_PATH}"
            )
        time.sleep(_PAUSE_S)


def _answers(endpoint: Endpoint) -> bool:
    # Asking for the socket first spares a running engine's users a second connection.
    if endpoint.path and not os.path.exists(endpoint.path):
        return False
    client = Client(endpoint)
    try:
        client.ping()
    except UnavailableError:
        return False
    finally:
        client.close()
    return True


def _engine_program() -> list[str] | None:
    """Return how to start the engine that belongs to this command, None when it is not there."""
    import sys

    beside = os.path.join(os.path.dirname(os.path.abspath(sys.argv[0])), "narud")
    if os.access(beside, os.X_OK):
        return [beside]
    from shutil import which

    found = which("narud")
    return [found] if found else None


def _spawn(program: list[str]) -> int:
    """Start a program as the leader of a session of its own, its words going to the log."""
    null = os.open(os.devnull, os.O_RDONLY)
    log = os.open(LOG_PATH, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o640)
    try:
        return os.posix_spawn(
            program[0],
            program,
            dict(os.environ),
            file_actions=[
                (os.POSIX_SPAWN_DUP2, null, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
        )
    finally:
        os.close(null)
        os.close(log)
