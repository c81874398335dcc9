"""Identifiers: 64 hex digits, their short form, and look-up by prefix."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

SHORT_LENGTH = 12
_FULL = re.compile(r"[0-9a-f]{64}")
_PREFIX = re.compile(r"[0-9a-f]{1,64}")
# Docker's RestrictedNamePattern: two characters at least.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def new_id() -> str:
    """Return a fresh id whose short form is not all digits.

    A host name of digits alone would read as a number, so such an id is drawn again.
    """
    while True:
        candidate = secrets.token_hex(32)
        if not candidate[:SHORT_LENGTH].isdigit():
            return candidate


def is_full_id(text: str) -> bool:
    """Say whether `text` is a whole id."""
    return _FULL.fullmatch(text) is not None


def is_id_prefix(text: str) -> bool:
    """Say whether `text` may be the start of an id."""
    return _PREFIX.fullmatch(text) is not None


def is_valid_name(text: str) -> bool:
    """Say whether `text` may name a container, a network or a volume."""
    return _NAME.fullmatch(text) is not None


def short_id(full: str) -> str:
    """Return the twelve digits that Docker shows; a `sha256:` in front is dropped."""
    return full.removeprefix("sha256:")[:SHORT_LENGTH]


def matching_prefix(prefix: str, candidates: Iterable[str]) -> list[str]:
    """Return the ids that start with `prefix`; two or more mean that it is ambiguous."""
    return [candidate for candidate in candidates if candidate.startswith(prefix)]
