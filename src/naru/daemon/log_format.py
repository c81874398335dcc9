"""What a line of the engine's log looks like, and which failures come with a traceback.

Whoever logs a failure hands the exception over (`_log.exception`, `exc_info`); whether it is worth
a traceback is decided here, for all of them.
"""

from __future__ import annotations

import errno
import logging

from naru.errors import NaruError

_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


class LogFormatter(logging.Formatter):
    """Writes a failure that somebody foresaw in one line, and a bug with its traceback.

    With the level `debug` every failure has its traceback.
    """

    def __init__(self) -> None:
        super().__init__(_LINE)

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info[1] if record.exc_info else None
        if (
            error is None
            or not _is_foreseen(error)
            or logging.getLogger().isEnabledFor(logging.DEBUG)
        ):
            return super().format(record)
        plain = logging.makeLogRecord({**record.__dict__, "exc_info": None, "exc_text": None})
        line = " ".join(super().format(plain).splitlines())
        for words in _words_of(error):
            if words not in line:
                line += f": {words}"
        return line


def _is_foreseen(error: BaseException) -> bool:
    return isinstance(error, NaruError) or (
        isinstance(error, OSError) and error.errno in _DISK_FULL
    )


def _words_of(error: BaseException) -> list[str]:
    """Return what a failure says, and what the failures say that it came from."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    # Who raises a failure from itself has made a circle.
    while cause is not None and cause not in chain:
        chain.append(cause)
        cause = cause.__cause__
    return [" ".join(str(each).split()) or type(each).__name__ for each in chain]
