"""How a command ends early: the exceptions that only the command line knows.

Anything that the engine reported stays a `NaruError`; these are for what the command itself
found out. `naru.cli.main` prints them and leaves with their exit code.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from naru.errors import NaruError


class CommandFailedError(Exception):
    """The command is over: print `message` (nothing when it is empty), leave with `exit_code`."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


def with_hint(text: str, hint: str) -> str:
    """Put advice, if there is any, on a line of its own behind a message."""
    return f"{text}\n{hint}" if hint else text


def described(error: NaruError) -> str:
    """Return what users read of a failure: docker's line, and the advice if there is some."""
    text = f"Error response from daemon: {error.message}" if error.reported else error.message
    return with_hint(text, error.hint)
