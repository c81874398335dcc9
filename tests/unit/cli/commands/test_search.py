"""Rows of `search`."""

from __future__ import annotations

from naru.cli.commands.search import SearchView


def _view(description: str, *, truncates: bool = True) -> SearchView:
    item = {"name": "x", "star_count": 5, "is_official": True, "description": description}
    return SearchView(item, truncates=truncates)


def test_descriptions_are_cut_and_stay_on_their_line() -> None:
    long = "Apache Tomcat is an open source implementation of the Java Servlet"
    assert _view(long).description() == "Apache Tomcat is an open source implementati…"
    assert _view(long, truncates=False).description() == long
    assert _view("one\ntwo\tthree\x1b[2J").description() == "one two three [2J"


def test_official_is_a_mark_in_tables_and_a_word_in_json() -> None:
    view = _view("")
    assert view.resolve("IsOfficial", []) == "[OK]"
    assert view.as_json() == {
        "Description": "",
        "IsOfficial": "true",
        "Name": "x",
        "StarCount": "5",
    }
