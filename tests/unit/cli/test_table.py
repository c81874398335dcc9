"""Columns are aligned as Go's tabwriter aligns them."""

from __future__ import annotations

from naru.cli.table import align, rows


def test_columns_are_ten_wide_at_least_and_have_three_blanks_between() -> None:
    assert rows([["A", "B"], ["x", "y"]]) == "A         B\nx         y\n"
    assert rows([["A", "B"], ["0123456789", "y"]]) == "A            B\n0123456789   y\n"


def test_last_column_is_never_padded_and_the_one_before_always_is() -> None:
    assert rows([["A", "B"], ["x", ""]]) == "A         B\nx         \n"


def test_plain_tables_and_templates_agree() -> None:
    table = [["NAME", "SIZE", "TAG"], ["é" * 12, "1", "x"], ["", "", ""]]
    text = "\n".join("\t".join(row) for row in table)
    assert align(text) + "\n" == rows(table)


def test_a_line_without_the_column_ends_its_block() -> None:
    text = "a\tb\nlonger than ten\tb\nfree\nx\ty"
    assert align(text) == ("a                 b\nlonger than ten   b\nfree\nx         y")


def test_other_widths_are_possible() -> None:
    assert align("a\tb", min_width=20, padding=3) == "a" + " " * 19 + "b"
