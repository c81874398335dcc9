"""Digests: reading them, and computing them while bytes go by.

A digest is `algorithm:hex` of bytes exactly as they are stored or sent. It travels as a plain
string with a type of its own: a `Digest` has been through `parse_digest` or was computed here.

Spec: image-spec v1.1, descriptor.md §Digests.
"""

from __future__ import annotations

import hashlib
import re
from typing import NewType

from naru.errors import InvalidInputError

Digest = NewType("Digest", str)
DiffId = NewType("DiffId", Digest)
"""Digest of a layer's uncompressed tar."""
ChainId = NewType("ChainId", Digest)
"""Digest that stands for a stack of layers."""

HEX_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_GRAMMAR = re.compile(r"[A-Za-z0-9]+(?:[.+_-][A-Za-z0-9]+)*:[0-9A-Za-z=_-]+", re.ASCII)
_HEX = re.compile(r"[a-f0-9]+")


def parse_digest(text: str) -> Digest:
    """Check `text` and return it as a digest.

    Raises:
        InvalidInputError: with the texts of Go's digest package, which reach Docker's users.
    """
    algorithm, colon, encoded = text.partition(":")
    if not colon or not algorithm or not encoded:
        raise InvalidInputError("invalid checksum digest format")
    length = HEX_LENGTHS.get(algorithm)
    if length is None:
        if _GRAMMAR.fullmatch(text) is None:
            raise InvalidInputError("invalid checksum digest format")
        raise InvalidInputError("unsupported digest algorithm")
    if len(encoded) != length:
        raise InvalidInputError("invalid checksum digest length")
    if _HEX.fullmatch(encoded) is None:
        raise InvalidInputError("invalid checksum digest format")
    return Digest(text)


def is_digest(text: str) -> bool:
    """Say whether `text` is a whole digest of a known algorithm."""
    try:
        parse_digest(text)
    except InvalidInputError:
        return False
    return True


def algorithm_of(digest: Digest) -> str:
    """Return the part before the colon."""
    return digest.partition(":")[0]


def hex_of(digest: Digest) -> str:
    """Return the part after the colon."""
    return digest.partition(":")[2]


def digest_bytes(data: bytes | bytearray | memoryview, algorithm: str = "sha256") -> Digest:
    """Return the digest of bytes at hand."""
    return Digest(f"{algorithm}:{hashlib.new(algorithm, data).hexdigest()}")


class Hasher:
    """Computes a digest piece by piece. Pieces of 64 KiB and more let other threads run."""

    def __init__(self, algorithm: str = "sha256") -> None:
        self.algorithm = algorithm
        self.size = 0
        self._hash = hashlib.new(algorithm)

    def update(self, data: bytes | bytearray | memoryview) -> None:
        """Add the next piece."""
        self._hash.update(data)
        self.size += len(data)

    def digest(self) -> Digest:
        """Return the digest of all pieces so far."""
        return Digest(f"{self.algorithm}:{self._hash.hexdigest()}")
