"""Laws of filters."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st

from naru.api.filters import Filters, parse_filters
from naru.errors import InvalidInputError

names = st.text(max_size=8)
values = st.lists(st.text(max_size=8), max_size=4, unique=True)


@given(st.dictionaries(names, values, max_size=4))
def test_both_shapes_mean_the_same(given_filters: dict[str, list[str]]) -> None:
    as_lists = parse_filters(json.dumps(given_filters))
    as_maps = parse_filters(
        json.dumps({name: dict.fromkeys(found, True) for name, found in given_filters.items()})
    )
    for name, found in given_filters.items():
        assert as_lists.get(name) == as_maps.get(name) == found


@given(st.text(max_size=40))
def test_any_text_is_filters_or_a_clear_refusal(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        parse_filters(text)


@given(values, st.text(max_size=8))
def test_every_kind_of_match_lets_an_exact_value_pass(found: list[str], value: str) -> None:
    filters = Filters({"name": [*found, value]})
    assert filters.matches("name", value)
    assert filters.matches_prefix("name", value)
    assert filters.matches_fuzzily("name", value)


@given(st.dictionaries(names.filter(lambda name: "=" not in name), names, max_size=5), st.data())
def test_labels_match_whatever_part_of_them_is_asked_for(
    labels: dict[str, str], data: st.DataObject
) -> None:
    chosen = data.draw(st.sets(st.sampled_from(sorted(labels)) if labels else st.nothing()))
    asked = [f"{key}={labels[key]}" if data.draw(st.booleans()) else key for key in sorted(chosen)]
    filters = Filters({"label": asked})
    assert filters.matches_labels("label", labels)
    assert filters.matches_labels("label", {**labels, "one-more": ""})
    for key in chosen:
        assert not filters.matches_labels("label", {k: v for k, v in labels.items() if k != key})
