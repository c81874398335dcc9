"""What drivers say of a container."""

from __future__ import annotations

import pytest

from naru.errors import InvalidInputError
from naru.runtime.log_attributes import LogSource, check_patterns, details_text, extra_attributes

_SOURCE = LogSource(
    container_id="a" * 64,
    name="web",
    image_id="sha256:" + "b" * 64,
    image_name="busybox",
    env=("A=1", "AB=x=y", "NOVALUE"),
    labels={"com.x": "1", "com.y": "2", "other": "3"},
)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({}, {}),
        ({"labels": "com.x,absent"}, {"com.x": "1"}),
        ({"labels-regex": "^com"}, {"com.x": "1", "com.y": "2"}),
        ({"env": "AB,NOVALUE"}, {"AB": "x=y"}),
        ({"env-regex": "^A"}, {"A": "1", "AB": "x=y"}),
        ({"labels": "other", "env": "A"}, {"other": "3", "A": "1"}),
    ],
)
def test_attributes_are_what_options_ask_for(
    options: dict[str, str], found: dict[str, str]
) -> None:
    assert extra_attributes(_SOURCE, options) == found


def test_names_are_changed_as_a_driver_needs_them() -> None:
    assert extra_attributes(_SOURCE, {"env": "A"}, str.lower) == {"a": "1"}


def test_details_are_sorted_and_escaped() -> None:
    assert details_text({"b": "x y", "a": "1,2"}) == b"a=1%2C2,b=x+y "
    assert details_text({}) == b" "


def test_an_expression_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="error parsing regexp"):
        check_patterns({"env-regex": "["})
