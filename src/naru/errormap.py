"""The one table between error kinds and what travels: HTTP status and exit code.

Four doors may import it: `server.middleware`, `client.transport`, `cli.failure` and `cli.main`.
Only a status and `{"message": …}` travel on Docker's wire, so the client rebuilds the *kind*
from the status; statuses are therefore distinct for every kind.
"""

from __future__ import annotations

from typing import NamedTuple

from naru import errors


class Outcome(NamedTuple):
    """What a failure of one kind becomes outside."""

    status: int
    exit_code: int


OUTCOMES: dict[type[errors.NaruError], Outcome] = {
    errors.InvalidInputError: Outcome(400, 1),
    errors.UnauthenticatedError: Outcome(401, 1),
    errors.ForbiddenError: Outcome(403, 1),
    errors.NotFoundError: Outcome(404, 1),
    errors.NotModifiedError: Outcome(304, 0),
    errors.ConflictError: Outcome(409, 1),
    errors.NotSupportedError: Outcome(501, 1),
    errors.UnavailableError: Outcome(503, 1),
    errors.FaultError: Outcome(500, 1),
}

_KIND_BY_STATUS = {outcome.status: kind for kind, outcome in OUTCOMES.items()}


def outcome_of(error: BaseException) -> Outcome:
    """Return the row of the nearest kind; anything unknown is a fault of ours."""
    for kind in type(error).__mro__:
        if kind in OUTCOMES:
            return OUTCOMES[kind]
    return OUTCOMES[errors.FaultError]


def error_from_response(status: int, message: str, hint: str = "") -> errors.NaruError:
    """Rebuild the error that a server reported; an unlisted status goes by its class."""
    kind = _KIND_BY_STATUS.get(status)
    if kind is None:
        kind = errors.InvalidInputError if 400 <= status < 500 else errors.FaultError
    error = kind(message, hint=hint)
    error.reported = True
    return error


# The words by which runtimes say that a program is missing or cannot be executed. The wire
# carries only a message, so the command reads the code out of the text, as docker/cli's
# toStatusError does.
_NOT_FOUND = (
    "executable file not found",
    "no such file or directory",
    "system cannot find the file",
)
_NOT_EXECUTABLE = ("permission denied", "is a directory", "exec format error")


def start_exit_code(message: str) -> int:
    """Return the exit code of `run` and `start` for a container that did not start."""
    text = message.lower()
    if any(words in text for words in _NOT_FOUND):
        return 127
    if any(words in text for words in _NOT_EXECUTABLE):
        return 126
    return 125
