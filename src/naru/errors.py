"""The kinds of failure that Naru tells apart, by what the caller should do about them.

Owns the exception hierarchy, and what of the kernel's own users read: HTTP statuses and exit codes live in
`naru.errormap`. Subclass a kind only when somebody catches the subclass by name.

A message is what users read. Where Docker's clients match on a text it is Docker's text, to the
letter; elsewhere it is lower case, has no full stop, and names the thing, what was expected and
what came. Advice goes into `hint`, which our command shows and those of others pass over.
"""

from __future__ import annotations


class NaruError(Exception):
    """Root of every failure that is not a bug.

    `reported` is True when an engine answered with this failure, False when it is our own.
    """

    reported = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class InvalidInputError(NaruError):
    """The request cannot be right: fix it."""


class StartFailedError(InvalidInputError):
    """The runtime refused the process of a container.

    `exit_code` is what Docker reports for it: 127 (program not found), 126 (found, but cannot
    be executed) or 128 (anything else).
    """

    def __init__(self, message: str, *, exit_code: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class UnauthenticatedError(NaruError):
    """Log in, then try again."""


class ForbiddenError(NaruError):
    """Not allowed, and trying again will not change that."""


class NotFoundError(NaruError):
    """Name something that exists."""


class NotModifiedError(NaruError):
    """Nothing to do: the thing is already as asked for."""


class ConflictError(NaruError):
    """Change the state of the thing first."""


class NotSupportedError(NaruError):
    """We do not do this."""


class UnavailableError(NaruError):
    """Try again later."""


class FaultError(NaruError):
    """Our side failed; the engine's log says more."""


class CorruptDataError(FaultError):
    """Bytes are not what their digest, size or schema says."""


class ToolFailedError(FaultError):
    """A program that we ran failed.

    `status` is its exit status, or minus the signal that ended it; `stderr` its last words.
    """

    def __init__(self, argv: list[str], status: int, stderr: str) -> None:
        self.argv = argv
        self.status = status
        self.stderr = stderr.strip()
        super().__init__(f"{argv[0]} failed with status {status}: {self.stderr or 'no output'}")


def reason_of(error: OSError) -> str:
    """Return what an error of the kernel's says, as it ends messages of ours: in lower case."""
    return (error.strerror or str(error)).lower()
