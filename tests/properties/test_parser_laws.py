"""The parser of options keeps its laws on any words."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.cli.command_table import Option
from naru.cli.parser import HelpRequestedError, OptionParser

_OPTIONS = [
    Option("all", "a", "bool", "", ""),
    Option("interactive", "i", "bool", "", ""),
    Option("name", "n", "string", "", ""),
    Option("env", "e", "list", "", ""),
    Option("count", "", "int", "", ""),
]
_WORDS = st.lists(
    st.one_of(
        st.text("-=ainex0 ", max_size=6),
        st.sampled_from(["--all", "--name", "--name=x", "-it", "--", "-e", "--count=3", "-"]),
    ),
    max_size=8,
)


def _parse(words: list[str], *, stops: bool = False) -> tuple[dict[str, object], list[str]]:
    """Return values and arguments; where there are none, the reason stands among the arguments."""
    parser = OptionParser(_OPTIONS)
    try:
        args = parser.parse(words, stops_at_argument=stops)
    except ValueError as error:
        return {}, [str(error)]
    except HelpRequestedError:
        return {}, ["help"]
    return {option.name: parser.values[option.name] for option in _OPTIONS}, args


@given(_WORDS)
def test_any_words_parse_or_fail_with_a_text(words: list[str]) -> None:
    _parse(words)
    _parse(words, stops=True)


@given(_WORDS)
def test_everything_behind_two_hyphens_is_an_argument(words: list[str]) -> None:
    values, _ = _parse(["-a"])
    assert values["all"] is True
    assert _parse(["-a", "--", *words]) == (values, words)


@given(st.text(), st.text())
def test_value_comes_the_same_by_every_spelling(value: str, argument: str) -> None:
    rest = ["--", argument]
    expected = _parse([f"--name={value}", *rest])
    assert _parse(["--name", value, *rest]) == expected
    assert _parse(["-n", value, *rest]) == expected
    assert _parse([f"-n={value}", *rest]) == expected or value == ""
    assert _parse([f"-an{value}", *rest]) != expected


@given(st.lists(st.text()))
def test_lists_keep_the_order_of_the_command_line(values: list[str]) -> None:
    parsed = _parse([word for value in values for word in ("-e", value)])
    assert isinstance(parsed, tuple)
    assert parsed[0]["env"] == values
