"""Laws of references: printing and parsing undo each other, and nothing but an error comes out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.errors import InvalidInputError
from naru.oci.digest import Digest
from naru.oci.reference import Reference, is_tag

component = st.from_regex(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+){0,2}", fullmatch=True).filter(
    lambda text: len(text) < 40
)
host = st.from_regex(r"([a-zA-Z0-9]{1,8}\.){1,2}[a-z]{2,5}(:[0-9]{1,5})?", fullmatch=True)
six = st.ip_addresses(v=6).map(lambda address: f"[{address}]")
port = st.just("") | st.integers(0, 65535).map(lambda number: f":{number}")
loud = st.from_regex(r"[A-Z][A-Za-z0-9]{0,8}", fullmatch=True)
registry = (
    st.sampled_from(["docker.io", "localhost", "localhost:5000"])
    | host
    | st.builds(str.__add__, six | loud, port)
)
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


def read(text: str) -> Reference | str:
    """Return the reference, or why it is none."""
    try:
        return Reference.parse(text)
    except InvalidInputError as error:
        return error.message


@given(component, st.text("aZ_09.-", min_size=1, max_size=140))
def test_tags_have_128_characters_at_most_and_begin_with_a_word(name: str, text: str) -> None:
    fits = len(text) <= 128 and text[0] not in ".-"
    assert is_tag(text) == fits
    good = Reference("h.x", name, text)
    assert read(f"h.x/{name}:{text}") == (good if fits else "invalid reference format")


@given(st.lists(st.integers(1, 90), min_size=1, max_size=5))
def test_paths_have_255_characters_at_most(lengths: list[int]) -> None:
    path = "/".join("a" * length for length in lengths)
    too_long = "repository name must not be more than 255 characters"
    assert read(f"h.x/{path}") == (Reference("h.x", path) if len(path) <= 255 else too_long)


@given(
    component,
    st.sampled_from([("sha256", 64), ("sha384", 96), ("sha512", 128)]),
    st.text("0123456789abcdef", min_size=32, max_size=140),
    st.booleans(),
)
def test_digests_have_the_length_of_their_algorithm(
    name: str, algorithm: tuple[str, int], text: str, is_whole: bool
) -> None:
    word, length = algorithm
    text = (text * 4)[:length] if is_whole else text
    good = Reference("h.x", name, "1", Digest(f"{word}:{text}"))
    expected = good if len(text) == length else "invalid checksum digest length"
    assert read(f"h.x/{name}:1@{word}:{text}") == expected


@given(st.from_regex(r"[a-f0-9]{60,68}", fullmatch=True))
def test_what_reads_as_an_id_is_no_name_unless_a_registry_goes_before(text: str) -> None:
    good = Reference("docker.io", f"library/{text}")
    assert read(f"docker.io/library/{text}") == good
    refusal = f"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings"
    assert read(text) == (refusal if len(text) == 64 else good)
