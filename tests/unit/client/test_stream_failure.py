"""Failures in the middle of a stream, as engines old and new tell them."""

from __future__ import annotations

from typing import Any

import pytest

from naru.client.stream_failure import failure_in


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"errorDetail": {"message": "boom"}, "error": "boom"}, ("boom", "", 1)),
        ({"errorDetail": {"message": "m", "hint": "h"}, "error": "m"}, ("m", "h", 1)),
        ({"errorDetail": {"message": "m", "code": 7}, "error": "m"}, ("m", "", 7)),
        ({"errorDetail": {"code": 7}}, ("", "", 7)),
        ({"error": "alone"}, ("alone", "", 1)),
    ],
)
def test_failure_is_found_however_much_is_told(
    record: dict[str, Any], told: tuple[str, str, int]
) -> None:
    failure = failure_in(record)
    assert failure is not None
    assert (failure.message, failure.hint, failure.code) == told


@pytest.mark.parametrize("record", [{}, {"status": "Pulling"}, {"error": "", "errorDetail": None}])
def test_what_goes_well_is_no_failure(record: dict[str, Any]) -> None:
    assert failure_in(record) is None
