"""What volumes may be called. Pure."""

from __future__ import annotations

import re

from naru.errors import InvalidInputError

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")
# What file systems take.
LONGEST_NAME = 255


def is_name(text: str) -> bool:
    """Say whether a volume, or its directory, may be called so."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Refuse a name that no volume can have.

    Raises:
        InvalidInputError: in Docker's words.
    """
    if len(name) < 2:
        raise InvalidInputError(
            f"create {name}: volume name is too short, names should be at least two "
            "alphanumeric characters"
        )
    if not is_name(name):
        raise InvalidInputError(
            f'create {name}: "{name}" includes invalid characters for a local volume name, only '
            '"[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, '
            "use absolute path"
        )
    if len(name) > LONGEST_NAME:
        raise InvalidInputError(f"create {name}: volume name is longer than {LONGEST_NAME}")
