"""What users read when a command fails."""

from __future__ import annotations

from naru.cli.failure import described
from naru.errormap import error_from_response
from naru.errors import InvalidInputError


def test_advice_stands_on_a_line_of_its_own() -> None:
    error = error_from_response(404, "No such image: x", "build it first")
    assert described(error) == "Error response from daemon: No such image: x\nbuild it first"


def test_what_no_engine_said_is_not_said_to_be_an_engines() -> None:
    assert described(InvalidInputError("that is no name")) == "that is no name"
