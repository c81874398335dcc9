"""Variables and labels, from options and files."""

from __future__ import annotations

from pathlib import Path

import pytest

from naru.cli.container_options.environment import (
    check_label,
    check_variable,
    read_labels,
    read_variables,
    to_map,
)
from naru.errors import InvalidInputError


def test_files_come_first_and_of_options_the_last_counts(tmp_path: Path) -> None:
    (tmp_path / "e").write_text("A=1\nOURS\nGONE\n  B = 2 \n".replace("B =", "B="))
    found = read_variables([str(tmp_path / "e")], ["A=2", "X=1", "X=2", "OURS"], {"OURS": "o"})
    assert found == ["A=1", "OURS=o", "B= 2 ", "A=2", "X=2", "OURS=o"]


def test_an_unknown_name_as_an_option_is_the_engines_to_remove() -> None:
    assert read_variables([], ["GONE"], {}) == ["GONE"]


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"A B=1\n", "variable 'A B' contains whitespaces"),
        (b"=x\n", "no variable name on line '=x'"),
        (b"\n\xff\n", "invalid utf8 bytes at line 2: [255]"),
        (b"x" * 70_000, "bufio.Scanner: token too long"),
    ],
)
def test_a_bad_line_names_file_and_reason(tmp_path: Path, data: bytes, problem: str) -> None:
    path = tmp_path / "e"
    path.write_bytes(data)
    with pytest.raises(InvalidInputError) as caught:
        read_variables([str(path)], [], {})
    assert caught.value.message == f"invalid env file ({path}): {problem}"


def test_byte_order_mark_and_carriage_returns_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "e").write_bytes(b"\xef\xbb\xbfA=1\r\nB=2\r\n")
    assert read_variables([str(tmp_path / "e")], [], {}) == ["A=1", "B=2"]


def test_labels_of_options_win(tmp_path: Path) -> None:
    (tmp_path / "l").write_text("a=1\nb=1\nalone\n")
    assert read_labels([str(tmp_path / "l")], ["a=2", "c"]) == {"a": "2", "b": "1", "c": ""}


@pytest.mark.parametrize("text", ["", "=x"])
def test_a_variable_needs_a_name(text: str) -> None:
    with pytest.raises(InvalidInputError, match="invalid environment variable"):
        check_variable(text)


@pytest.mark.parametrize("text", ["", "=x", "a b=c", "a\tb"])
def test_a_label_needs_a_name_without_blanks(text: str) -> None:
    with pytest.raises(InvalidInputError):
        check_label(text)


def test_pairs_become_a_map() -> None:
    assert to_map(["a=b=c", "d"]) == {"a": "b=c", "d": ""}
