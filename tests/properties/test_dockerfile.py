"""Laws of Dockerfiles: whatever is typed, the parser answers or says what is wrong."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from naru.dockerfile.config_change import changed, substituted
from naru.dockerfile.expand import expand, expand_text, split_words, unquoted
from naru.dockerfile.ignorefile import IgnoreRules, read_patterns
from naru.dockerfile.instructions import Copy
from naru.dockerfile.parser import parse_dockerfile
from naru.dockerfile.statement import INSTRUCTIONS
from naru.errors import InvalidInputError
from naru.oci.image_config import RunDefaults

_PIECES = st.sampled_from(
    "FROM a|\n|\\|`|<<E|E|\"|'|$A|${A|}|:-|--mount=|type=bind|--from=|=|[|]|{|#|# escape=`|\t"
    "|\r| |*|**|!|/|..|CMD|0|é|\x00".split("|")
)
_WORDS = st.one_of(_PIECES, st.sampled_from(sorted(INSTRUCTIONS)), st.text(max_size=4))
_TEXTS = st.lists(_WORDS, max_size=30).map(" ".join) | st.lists(_WORDS, max_size=30).map("".join)
_LINES = st.lists(
    st.tuples(st.sampled_from(sorted(INSTRUCTIONS)), _TEXTS).map(" ".join), max_size=8
).map(lambda lines: "\n".join(("FROM base", *lines)))


@given(_TEXTS | _LINES)
def test_the_parser_raises_only_its_own_error(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        parse_dockerfile(text)


@given(_LINES)
def test_what_was_parsed_changes_a_config_or_says_why_not(text: str) -> None:
    with contextlib.suppress(InvalidInputError):
        config = RunDefaults()
        for instruction in parse_dockerfile(text).stages[0].instructions:
            config = changed(config, substituted(instruction, {"A": "1"}))


@given(_TEXTS)
def test_words_without_quotes_and_variables_are_themselves(text: str) -> None:
    for word in split_words(text):
        if not set(word) & set("\\'\"$"):
            assert expand(word, {}) == expand_text(word, {}) == unquoted(word) == word


@given(st.lists(st.text(st.characters(exclude_characters="\\'\"$\n\r/")), min_size=1))
def test_a_file_without_comments_loses_none_of_its_lines(lines: list[str]) -> None:
    text = "FROM a\nCOPY <<EOF /\n" + "".join(f"{line}\n" for line in lines) + "EOF\n"
    if "EOF" not in lines:
        (copy,) = parse_dockerfile(text).stages[0].instructions
        assert isinstance(copy, Copy)
        assert copy.heredocs[0].content.splitlines() == "\n".join([*lines, ""]).splitlines()


@given(_TEXTS, _TEXTS)
def test_ignore_rules_raise_only_their_own_error(text: str, path: str) -> None:
    with contextlib.suppress(InvalidInputError):
        IgnoreRules(read_patterns(text)).leaves_out(path)
