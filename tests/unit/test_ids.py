"""Ids, their short forms and prefixes, and names."""

from __future__ import annotations

import pytest

from naru import ids


def test_an_id_is_new_and_no_number() -> None:
    made = {ids.new_id() for _ in range(200)}
    assert len(made) == 200
    for one in made:
        assert ids.is_full_id(one)
        assert not ids.short_id(one).isdigit()


def test_short_ids_are_what_docker_shows() -> None:
    assert ids.short_id("sha256:" + "ab" * 32) == "abababababab"


@pytest.mark.parametrize("text", ["a", "0" * 64])
def test_prefixes_are_hexadecimal(text: str) -> None:
    assert ids.is_id_prefix(text)


@pytest.mark.parametrize("text", ["", "g", "A", "0" * 65, "a\n"])
def test_what_is_no_prefix(text: str) -> None:
    assert not ids.is_id_prefix(text)


@pytest.mark.parametrize("name", ["ab", "a.b-c_d", "0a"])
def test_names_that_may_be(name: str) -> None:
    assert ids.is_valid_name(name)


@pytest.mark.parametrize("name", ["", "a", "-ab", "a b", "ab\n", "ä1", "../x"])
def test_names_that_may_not_be(name: str) -> None:
    assert not ids.is_valid_name(name)


def test_a_prefix_finds_all_that_begin_with_it() -> None:
    assert ids.matching_prefix("ab", ["abc", "abd", "b"]) == ["abc", "abd"]
