"""Which versions of the Engine API are spoken, and how a request says which it means.

Spec: Engine API 1.50, Versioning; moby's version middleware for the texts.
"""

from __future__ import annotations

import re
from functools import lru_cache

from naru.errors import InvalidInputError

ApiVersion = tuple[int, int]
MINIMUM: ApiVersion = (1, 24)
MAXIMUM: ApiVersion = (1, 50)
_NUMBERS = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,2}")


def dotted(version: ApiVersion) -> str:
    """Print a version: `1.50`."""
    return f"{version[0]}.{version[1]}"


@lru_cache(maxsize=64)
def parse_version(text: str) -> ApiVersion:
    """Read the version of a path, and check that it is spoken.

    Raises:
        InvalidInputError: it is too old or too new, with Docker's words.
    """
    if _NUMBERS.fullmatch(text) is None:
        raise InvalidInputError(f"invalid API version: {text}")
    version = tuple(int(part) for part in text.split("."))
    if version < MINIMUM:
        raise InvalidInputError(
            f"client version {text} is too old. Minimum supported API version is "
            f"{dotted(MINIMUM)}, please upgrade your client to a newer version"
        )
    if version > MAXIMUM:
        raise InvalidInputError(
            f"client version {text} is too new. Maximum supported API version is {dotted(MAXIMUM)}"
        )
    return version[0], version[1]
