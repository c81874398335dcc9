"""Failures of builds that somebody tells apart."""

from __future__ import annotations

from naru.errors import InvalidInputError


class StepFailedError(InvalidInputError):
    """A command of a Dockerfile ended with `exit_code`, which is not zero."""

    def __init__(self, message: str, *, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code
