"""`WWW-Authenticate`, read: which schemes a registry offers, with which parameters.

Pure text work. What to do about a challenge is decided in `naru.distribution.auth`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SCHEME = re.compile(rf"[\s,]*({_TOKEN})(?:[ \t]+|(?=,)|$)")
_PARAMETER = re.compile(rf"[\s,]*({_TOKEN})[ \t]*=[ \t]*(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))")
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to prove who we are. Scheme and parameter names are lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def parse_challenges(headers: Iterable[str]) -> list[Challenge]:
    """Read every `WWW-Authenticate` header of an answer, in order.

    Never fails: what cannot be read ends its header, and what came before it counts.

    Spec: RFC 9110, section 11.6.1.
    """
    return [challenge for header in headers for challenge in _parse(header)]


def _parse(header: str) -> list[Challenge]:
    found: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(header, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(header, position):
            name, quoted, bare = parameter.groups()
            value = bare if quoted is None else _ESCAPE.sub(r"\1", quoted)
            parameters.setdefault(name.lower(), value)
            position = parameter.end()
        found.append(Challenge(scheme[1].lower(), MappingProxyType(parameters)))
    return found
