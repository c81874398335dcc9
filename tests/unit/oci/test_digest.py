"""Digests: grammar and pieces."""

from __future__ import annotations

import hashlib

import pytest

from naru.errors import InvalidInputError
from naru.oci.digest import (
    Digest,
    Hasher,
    algorithm_of,
    digest_bytes,
    hex_of,
    is_digest,
    parse_digest,
)

GOOD = Digest("sha256:" + hashlib.sha256(b"hello").hexdigest())


@pytest.mark.parametrize("algorithm", ["sha256", "sha384", "sha512"])
def test_known_algorithms_are_read(algorithm: str) -> None:
    digest = digest_bytes(b"hello", algorithm)
    assert parse_digest(digest) == digest
    assert (algorithm_of(digest), is_digest(digest)) == (algorithm, True)
    assert hex_of(digest) == hashlib.new(algorithm, b"hello").hexdigest()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "format"),
        ("sha256", "format"),
        (":abc", "format"),
        ("sha256:", "format"),
        ("sha256:" + "g" * 64, "format"),
        ("sha256:" + "A" * 64, "format"),
        ("sha256:abc", "length"),
        ("md5:" + "a" * 32, "unsupported digest algorithm"),
        ("sha256:" + "a" * 63 + "\n", "format"),
        ("../../x:abc", "format"),
    ],
)
def test_what_is_no_digest_is_refused(text: str, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        parse_digest(text)
    assert not is_digest(text)


def test_pieces_hash_like_the_whole() -> None:
    hasher = Hasher()
    for piece in (b"he", bytearray(b"l"), memoryview(b"lo")):
        hasher.update(piece)
    assert (hasher.digest(), hasher.size) == (GOOD, 5)
