"""The table of outcomes: total, one status each, and the same kind on both sides of the wire."""

from __future__ import annotations

import pytest

from naru import errors
from naru.errormap import OUTCOMES, error_from_response, outcome_of, start_exit_code
from naru.errors import NaruError


def _below(kind: type[NaruError]) -> list[type[NaruError]]:
    return [kind, *(deeper for one in kind.__subclasses__() for deeper in _below(one))]


_KINDS = [kind for kind in _below(NaruError) if kind.__module__ == errors.__name__]


def test_every_kind_has_a_row_of_its_own_or_above_it() -> None:
    direct = [kind for kind in NaruError.__subclasses__() if kind.__module__ == errors.__name__]
    assert set(direct) <= set(OUTCOMES)


def test_statuses_are_distinct() -> None:
    statuses = [outcome.status for outcome in OUTCOMES.values()]
    assert len(set(statuses)) == len(statuses)


@pytest.mark.parametrize("kind", _KINDS[1:])
def test_the_client_rebuilds_the_kind_that_the_server_raised(kind: type[NaruError]) -> None:
    error = kind.__new__(kind)
    rebuilt = error_from_response(outcome_of(error).status, "the text", "the advice")
    assert (rebuilt.message, rebuilt.hint) == ("the text", "the advice")
    assert isinstance(error, type(rebuilt))
    assert rebuilt.message == "the text"


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), RuntimeError()])
def test_a_bug_is_a_fault_of_ours(error: Exception) -> None:
    assert outcome_of(error).status == 500


@pytest.mark.parametrize(
    ("status", "kind"), [(418, errors.InvalidInputError), (502, errors.FaultError)]
)
def test_an_unlisted_status_goes_by_its_class(status: int, kind: type[NaruError]) -> None:
    assert type(error_from_response(status, "x")) is kind


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('exec: "x": executable file not found in $PATH', 127),
        ("stat /x: no such file or directory", 127),
        ('exec: "/etc/passwd": permission denied', 126),
        ('exec: "/etc": is a directory', 126),
        ("exec format error", 126),
        ("No such image: x", 125),
    ],
)
def test_the_exit_code_of_a_failed_start_is_read_out_of_its_text(message: str, code: int) -> None:
    assert start_exit_code(message) == code
