"""How a command ends early: the exceptions that only the command line knows.

Anything that the engine reported stays a `NaruError`; these are for what the command itself
found out. `naru.cli.main` prints them and leaves with their exit code.
"""

from __future__ import annotations


class CommandFailedError(Exception):
    """The command is over: print `message` (nothing when it is empty), leave with `exit_code`."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
