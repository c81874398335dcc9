"""The `filters` parameter: what clients send, and what it lets through. Pure.

Spec: Engine API 1.50, filters; moby's filters.Args for how values match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from naru.errors import InvalidInputError

_TRUE = frozenset({"1", "true", "True", "TRUE", "t", "T"})
_FALSE = frozenset({"0", "false", "False", "FALSE", "f", "F"})


class Filters:
    """Named filters, each with one or more values; a name that is absent lets everything pass."""

    def __init__(self, values: Mapping[str, Iterable[str]] | None = None) -> None:
        self._values = {name: list(given) for name, given in (values or {}).items()}

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def get(self, name: str) -> list[str]:
        """Return the values of a filter, none when it is absent."""
        return self._values.get(name, [])

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Check the names.

        Raises:
            InvalidInputError: one is not known.
        """
        for name in self._values:
            if name not in known:
                raise InvalidInputError(f"invalid filter '{name}'")

    def is_true(self, name: str) -> bool:
        """Read a filter that is yes or no; absent means no.

        Raises:
            InvalidInputError: a value is neither, or both are given.
        """
        values = set(self.get(name))
        if not values:
            return False
        if values <= _TRUE:
            return True
        if values <= _FALSE:
            return False
        raise InvalidInputError(f"invalid filter '{name}={sorted(values)}'")

    def matches(self, name: str, value: str) -> bool:
        """Say whether `value` is one of the filter's."""
        values = self.get(name)
        return not values or value in values

    def matches_prefix(self, name: str, value: str) -> bool:
        """Say whether `value` starts with one of the filter's."""
        values = self.get(name)
        return not values or any(value.startswith(start) for start in values)

    def matches_fuzzily(self, name: str, *candidates: str) -> bool:
        """Say whether a candidate is, or as a pattern contains, one of the filter's values."""
        values = self.get(name)
        return not values or any(
            value == candidate or _found(value, candidate)
            for value in values
            for candidate in candidates
        )

    def matches_labels(self, name: str, labels: Mapping[str, str]) -> bool:
        """Say whether `labels` have every `key` or `key=value` of the filter."""
        for value in self.get(name):
            key, is_pair, wanted = value.partition("=")
            if key not in labels or (is_pair and labels[key] != wanted):
                return False
        return True


def _found(pattern: str, candidate: str) -> bool:
    try:
        return re.search(pattern, candidate) is not None
    except re.error:
        return pattern in candidate


def parse_filters(text: str) -> Filters:
    """Read the JSON of the parameter: a map to lists, or the older map to maps of true.

    Raises:
        InvalidInputError: it is neither.
    """
    if not text:
        return Filters()
    try:
        decoded = msgspec.json.decode(text, type=dict[str, list[str] | dict[str, bool]])
    except msgspec.MsgspecError as error:
        raise InvalidInputError(f"invalid filter: {error}") from error
    return Filters(
        {
            name: [value for value, is_set in given.items() if is_set]
            if isinstance(given, dict)
            else given
            for name, given in decoded.items()
        }
    )
