"""Fault points: nothing unless armed, and once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from naru import faults
from naru.errors import FaultError


@pytest.fixture
def point() -> Iterator[faults.FaultPoint]:
    """Give a point of our own, and forget it afterwards."""
    made = faults.fault_point("tests.faults.here")
    yield made
    del faults._points["tests.faults.here"]


def test_a_point_does_nothing_unless_armed(point: faults.FaultPoint) -> None:
    point()
    assert "tests.faults.here" in faults.registered()


def test_an_armed_point_fails_once(point: faults.FaultPoint) -> None:
    faults.arm(point.name, "raise")
    with pytest.raises(FaultError, match=r"fault injected at tests\.faults\.here"):
        point()
    point()


def test_a_point_may_fail_at_a_later_pass(point: faults.FaultPoint) -> None:
    faults.arm(point.name, "raise:3")
    point()
    point()
    with pytest.raises(FaultError):
        point()


def test_two_places_cannot_share_a_name(point: faults.FaultPoint) -> None:
    with pytest.raises(RuntimeError):
        faults.fault_point(point.name)
