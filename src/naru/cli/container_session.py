"""A session with a container's first process."""

from __future__ import annotations

from naru.cli import terminal
from naru.cli.failure import CommandFailedError
from naru.cli.session import DetachedError, Session
from naru.client import containers
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from naru.cli.invocation import Invocation
    from naru.client.hijack import HijackedStream


def exit_code_of(waiter: containers.Waiter) -> int:
    """Wait for a container's end; return its exit code.

    Raises:
        CommandFailedError: the engine went away, or could not tell, with exit code 125.
    """
    try:
        return waiter.exit_code()
    except NaruError as error:
        raise CommandFailedError(f"error waiting for container: {error.message}", 125) from error


def start_and_follow(
    session: Session,
    process: HijackedStream,
    waiter: containers.Waiter,
    start: Callable[[], None],
    *,
    is_removed: bool,
) -> int:
    """Start a container whose streams are at hand, and stay with it; return its exit code.

    A user who detaches leaves with 0. A container that does not start, and is to be removed, is
    gone when the failure is told.

    Raises:
        NaruError: the container does not start.
        CommandFailedError: how it ended is not known.
    """
    session.take_terminal()
    try:
        start()
    except NaruError:
        session.give_terminal_back()
        process.close()
        if is_removed:
            exit_code_of(waiter)
        raise
    session.set_first_size()
    try:
        session.pump(process)
    except DetachedError:
        return 0
    return exit_code_of(waiter)


def container_session(
    invocation: Invocation,
    container: str,
    *,
    tty: bool,
    stdin: bool,
    stdout: bool = True,
    stderr: bool = True,
    forwards_signals: bool,
    detach_keys: str,
) -> Session:
    """Return the session; signals and sizes go to the container."""
    client = invocation.client

    def forward(number: int) -> None:
        try:
            containers.kill(client, container, str(number))
        except (NaruError, OSError):
            # Not started yet, or ended already: there is nobody to tell.
            return

    def resize(rows: int, columns: int) -> None:
        containers.resize(client, container, rows, columns)

    follows = tty and (stdin or stdout or stderr) and terminal.is_terminal(invocation.stdout)
    return Session(
        invocation,
        tty=tty,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        forward=forward if forwards_signals else None,
        resize=resize if follows else None,
        detach_keys=detach_keys,
    )
