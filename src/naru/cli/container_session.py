"""A session with a container's first process."""

from __future__ import annotations

from naru.cli import terminal
from naru.cli.failure import CommandFailedError
from naru.cli.session import Session
from naru.client import containers
from naru.errors import NaruError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.cli.invocation import Invocation


def exit_code_of(waiter: containers.Waiter) -> int:
    """Wait for a container's end; return its exit code.

    Raises:
        CommandFailedError: the engine went away, or could not tell, with exit code 125.
    """
    try:
        return waiter.exit_code()
    except NaruError as error:
        raise CommandFailedError(f"error waiting for container: {error.message}", 125) from error


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
