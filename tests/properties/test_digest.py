"""Laws of digests: how bytes are cut up changes nothing, and any text is one or an error."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from naru.errors import InvalidInputError
from naru.oci.digest import (
    Hasher,
    algorithm_of,
    digest_bytes,
    hex_of,
    parse_digest,
)


@given(st.lists(st.binary(max_size=50)), st.sampled_from(["sha256", "sha384", "sha512"]))
def test_pieces_hash_like_the_whole(pieces: list[bytes], algorithm: str) -> None:
    hasher = Hasher(algorithm)
    for piece in pieces:
        hasher.update(piece)
    assert hasher.digest() == digest_bytes(b"".join(pieces), algorithm)


@given(st.text(max_size=100) | st.from_regex(r"[a-z0-9]{1,8}:[a-f0-9]{60,68}", fullmatch=True))
def test_any_text_is_a_digest_or_an_error(text: str) -> None:
    try:
        digest = parse_digest(text)
    except InvalidInputError:
        return
    assert f"{algorithm_of(digest)}:{hex_of(digest)}" == text
    assert "/" not in text
