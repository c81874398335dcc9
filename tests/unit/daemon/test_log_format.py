"""Which failures come with a traceback."""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Callable, Iterator

import pytest

from naru.daemon.log_format import LogFormatter
from naru.errors import FaultError, NotFoundError, ToolFailedError


@pytest.fixture
def level() -> Iterator[Callable[[int], None]]:
    root = logging.getLogger()
    before = root.level
    root.setLevel(logging.INFO)
    yield root.setLevel
    root.setLevel(before)


def _logged(error: BaseException, message: str = "container %s stays", *words: object) -> str:
    try:
        raise error
    except BaseException:
        raised = sys.exc_info()
    record = logging.LogRecord("naru.x", logging.ERROR, "x.py", 1, message, words or ("a",), raised)
    return LogFormatter().format(record)


def _caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (FaultError("no answer"), "no answer"),
        (NotFoundError("No such image: x"), "No such image: x"),
        (
            ToolFailedError(["nft"], 1, "line 1:\n  syntax"),
            "nft failed with status 1: line 1: syntax",
        ),
        (OSError(errno.ENOSPC, "no room"), f"[Errno {errno.ENOSPC}] no room"),
        (_caused(FaultError("no answer"), TimeoutError()), "no answer: TimeoutError"),
        (_caused(FaultError("lookup: no host"), OSError("no host")), "lookup: no host"),
    ],
)
@pytest.mark.usefixtures("level")
def test_what_was_foreseen_takes_one_line(error: BaseException, words: str) -> None:
    line = _logged(error)
    assert line.endswith(f" ERROR naru.x: container a stays: {words}")
    assert "\n" not in line


@pytest.mark.usefixtures("level")
def test_what_is_told_already_is_not_told_twice() -> None:
    line = _logged(FaultError("no answer"), "%s %s: %s", "POST", "/x", "no answer")
    assert line.endswith(" ERROR naru.x: POST /x: no answer")


@pytest.mark.usefixtures("level")
def test_a_failure_that_was_raised_from_itself_is_told_once() -> None:
    error = FaultError("no answer")
    assert _logged(_caused(error, error)).endswith(": no answer")


@pytest.mark.parametrize(
    "error", [KeyError("x"), AssertionError(), OSError(errno.EBADF, "bad"), RuntimeError("again")]
)
@pytest.mark.usefixtures("level")
def test_a_bug_comes_with_its_traceback(error: BaseException) -> None:
    text = _logged(error)
    assert "Traceback (most recent call last):\n" in text
    assert "in _logged" in text


def test_debugging_shows_where_every_failure_is_from(level: Callable[[int], None]) -> None:
    level(logging.DEBUG)
    assert "in _logged" in _logged(FaultError("no answer"))


@pytest.mark.usefixtures("level")
def test_lines_without_a_failure_stay_as_they_are() -> None:
    record = logging.LogRecord("naru", logging.WARNING, "x.py", 1, "by %s:\nstack", ("USR1",), None)
    assert LogFormatter().format(record).endswith(" WARNING naru: by USR1:\nstack")
