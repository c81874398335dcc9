"""Filters are parsed and matched as Docker does."""

from __future__ import annotations

import pytest

from naru.api.filters import Filters, parse_filters
from naru.errors import InvalidInputError


@pytest.mark.parametrize(
    "text",
    ['{"label":["a","b=c"]}', '{"label":{"a":true,"b=c":true}}'],
)
def test_both_shapes_are_read(text: str) -> None:
    assert parse_filters(text).get("label") == ["a", "b=c"]


@pytest.mark.parametrize("text", ["", "{}", "null"])
def test_no_filter_lets_everything_pass(text: str) -> None:
    filters = parse_filters(text)
    assert "name" not in filters
    assert filters.matches("name", "x")
    assert filters.matches_labels("label", {})


@pytest.mark.parametrize(
    "text", ["x", "[]", '{"a":1}', '{"a":"b"}', '{"a":[1]}', '{"a":{"b":1}}', "[" * 10_000]
)
def test_anything_else_is_invalid(text: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_filters(text)
    assert caught.value.message == "invalid filter"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"^invalid filter 'colour'$"):
        parse_filters('{"name":["a"],"colour":["b"]}').refuse_unknown({"name"})


@pytest.mark.parametrize(
    ("values", "expected"),
    [(["1"], True), (["true", "1"], True), (["0"], False), (["false"], False)],
)
def test_a_flag_is_one_of_dockers_words(values: list[str], expected: bool) -> None:
    assert Filters({"dangling": values}).is_true("dangling") is expected


def test_a_flag_that_is_absent_is_no_answer() -> None:
    assert Filters({"a": ["1"]}).choice("dangling") is None
    assert Filters({"dangling": ["0"]}).choice("dangling") is False


def test_a_filter_without_values_is_there_though_it_lets_everything_pass() -> None:
    filters = Filters({"reference": []})
    assert filters.has("reference")
    assert "reference" not in filters
    assert not filters.has("label")


def test_one_more_value_leaves_the_filters_as_they_were() -> None:
    filters = Filters({"label": ["a"]})
    more = filters.with_value("label", "b").with_value("reference", "x")
    assert (more.get("label"), more.get("reference")) == (["a", "b"], ["x"])
    assert (filters.get("label"), filters.get("reference")) == (["a"], [])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["yes"], "invalid filter 'dangling=[yes]'"),
        (["true", "false"], "invalid filter 'dangling=[false true]'"),
        ([], "invalid filter 'dangling'"),
    ],
)
def test_what_is_neither_true_nor_false_is_refused(values: list[str], message: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        Filters({"dangling": values}).is_true("dangling")
    assert caught.value.message == message


def test_an_absent_boolean_is_its_default() -> None:
    assert Filters().is_true("all", default=True)
    assert not Filters().is_true("all")


def test_exact_and_prefix_and_fuzzy() -> None:
    filters = Filters({"name": ["web", "^db$"]})
    assert filters.matches("name", "web")
    assert not filters.matches("name", "web1")
    assert filters.matches_prefix("name", "web1")
    assert filters.matches_fuzzily("name", "myweb1")
    assert filters.matches_fuzzily("name", "/nothing", "db")
    assert not filters.matches_fuzzily("name", "db1")


def test_a_broken_pattern_matches_only_itself() -> None:
    assert Filters({"name": ["(a"]}).matches_fuzzily("name", "(a")
    assert not Filters({"name": ["(a"]}).matches_fuzzily("name", "x(a")


def test_all_labels_must_be_there() -> None:
    labels = {"a": "1", "b": "", "c": "x=y"}
    assert Filters({"label": ["a", "b="]}).matches_labels("label", labels)
    assert Filters({"label": ["c=x=y"]}).matches_labels("label", labels)
    assert not Filters({"label": ["a=2"]}).matches_labels("label", labels)
    assert not Filters({"label": ["a", "d"]}).matches_labels("label", labels)
