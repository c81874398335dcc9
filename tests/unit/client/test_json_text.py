"""JSON without the json module, held against it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naru.client import json_text

_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(_VALUES)
def test_values_come_back(value: Any) -> None:
    assert json_text.loads(json_text.dumps(value).encode()) == value
    assert json.loads(json_text.dumps(value)) == value


@given(_VALUES)
def test_what_json_prints_is_read(value: Any) -> None:
    assert json_text.loads(json.dumps(value, indent=1)) == value


@pytest.mark.parametrize("text", ["", "{", "[1,]", "nul", "1 2", '{"a":1}x', "'a'", '{"a" 1}'])
def test_what_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|delimiter|enclosed|comma"):
        json_text.loads(text)


def test_what_has_no_json_form_is_refused() -> None:
    with pytest.raises(TypeError):
        json_text.dumps(b"bytes")
