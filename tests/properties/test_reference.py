"""Laws of references: printing and parsing undo each other, and nothing but an error comes out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.errors import InvalidInputError
from naru.oci.reference import Reference

component = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+){0,2}", fullmatch=True).filter(
    lambda text: len(text) < 40
)
host = st.from_regex(r"([a-zA-Z0-9]{1,8}\.){1,2}[a-z]{2,5}(:[0-9]{1,5})?", fullmatch=True)
registry = st.sampled_from(["docker.io", "localhost", "localhost:5000", "[::1]:80"]) | host
tag = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True)
digest = st.from_regex(r"sha256:[a-f0-9]{64}", fullmatch=True)


@st.composite
def references(draw: st.DrawFn) -> str:
    text = f"{draw(registry)}/{'/'.join(draw(st.lists(component, min_size=1, max_size=3)))}"
    if draw(st.booleans()):
        text += f":{draw(tag)}"
    if draw(st.booleans()):
        text += f"@{draw(digest)}"
    return text


@given(references())
def test_both_printed_forms_parse_to_the_same(text: str) -> None:
    reference = Reference.parse(text)
    assert Reference.parse(reference.canonical) == reference
    assert Reference.parse(reference.familiar) == reference
    assert Reference.parse(reference.familiar_name).is_name_only
    assert len(reference.familiar) <= len(reference.canonical)


@given(st.text(max_size=80) | st.from_regex(r"[a-zA-Z0-9._:/@\[\]-]{0,60}", fullmatch=True))
def test_any_text_is_a_stable_reference_or_a_clear_error(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except InvalidInputError:
        return
    assert Reference.parse(reference.canonical) == reference
    assert reference.canonical.isascii()
    assert not set(reference.canonical) & set(" \t\n\0")
