"""Answers of engines in a form that can be compared: what cannot be equal has a name instead.

Two engines that do the same give other ids, times, addresses and ports. `normal_text` and
`normal_json` replace those by words such as `<id>`; everything else is kept to the letter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_ZERO_TIME = "0001-01-01T00:00:00Z"
# In this order: the longer form first.
_TEXTS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<id>"),
    # Some have no letter in them.
    (re.compile(r"\b[0-9a-f]{12}\b"), "<short-id>"),
    (re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"), "<time>"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]+"), "<time>"),
    (re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b"), "<mac>"),
    (re.compile(r"\b(?:172|192|10)\.\d{1,3}\.\d{1,3}\.\d{1,3}(/\d+)?"), "<ip>"),
    (
        re.compile(r"\bLess than a second\b|\b(?:\d+|About an?) (?:second|minute|hour)s?\b"),
        "<long>",
    ),
    (re.compile(r"/tmp/(?:nt|dd)-[A-Za-z0-9_]+"), "<root>"),
    # Ports that an engine chooses.
    (re.compile(r"(?<=:)(?:3[2-9]|4\d|5\d|60)\d{3}\b"), "<port>"),
    (re.compile(r"(?<=/)[a-z]+_[a-z]+\d?(?=$|[\"\s])"), "<name>"),
    (re.compile(r" {2,}"), "  "),
)
# Lists that dockerd makes of a map, in any order.
_UNORDERED = frozenset({"Ports"})
# Numbers that cannot be equal, by the last word of their path.
_NUMBERS = frozenset({"Pid", "NFd", "NGoroutines", "time", "timeNano", "Created", "execDuration"})


def normal_text(text: str) -> str:
    """Return text with what differs between any two engines replaced by its name."""
    kept = text.replace(_ZERO_TIME, "<no-time>")
    for pattern, word in _TEXTS:
        kept = pattern.sub(word, kept)
    return kept.rstrip()


def normal_json(value: Any, path: str = "") -> dict[str, Any]:
    """Return every leaf of a JSON value by its path, such as `State.Health.Log[].ExitCode`.

    Members of lists are numbered, so that order counts where there is one; empty lists and maps
    are leaves.
    """
    return dict(_leaves(value, path))


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    match value:
        case dict() if value:
            for key, member in value.items():
                name = normal_text(str(key))
                yield from _leaves(member, f"{path}.{name}" if path else name)
        case list() if value:
            members = sorted(value, key=str) if _last_word(path) in _UNORDERED else value
            for index, member in enumerate(members):
                yield from _leaves(member, f"{path}[{index}]")
        case str():
            yield path, normal_text(value)
        case int() if not isinstance(value, bool) and value and _last_word(path) in _NUMBERS:
            yield path, "<number>"
        case _:
            yield path, value


def _last_word(path: str) -> str:
    return path.rpartition(".")[2]
