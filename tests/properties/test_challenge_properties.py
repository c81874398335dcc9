"""Laws of reading challenges."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.distribution.challenge import parse_challenges

_token = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=10)
_value = st.text(alphabet=st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30)
_challenges = st.lists(
    st.tuples(_token, st.dictionaries(_token, _value, min_size=1, max_size=4)), max_size=4
)


@given(_challenges)
def test_what_is_written_by_the_rules_is_read_back(
    challenges: list[tuple[str, dict[str, str]]],
) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'

    header = ", ".join(
        f"{scheme} " + ", ".join(f"{name}={quoted(value)}" for name, value in parameters.items())
        for scheme, parameters in challenges
    )
    found = parse_challenges([header])
    assert [(c.scheme, dict(c.parameters)) for c in found] == challenges


@given(st.lists(st.text(max_size=80), max_size=3))
def test_no_header_makes_it_fail(headers: list[str]) -> None:
    for challenge in parse_challenges(headers):
        assert challenge.scheme == challenge.scheme.lower()
