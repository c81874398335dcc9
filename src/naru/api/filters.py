"""The `filters` parameter: what clients send, and what it lets through. Pure.

Spec: Engine API 1.50, filters; moby's filters.Args for how values match.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from naru import untrusted_json
from naru.errors import InvalidInputError

_TRUE = frozenset({"1", "true"})
_FALSE = frozenset({"0", "false"})


class Filters:
    """Named filters, each with one or more values; a name that is absent lets everything pass."""

    def __init__(self, values: Mapping[str, Iterable[str]] | None = None) -> None:
        self._values = {name: list(given) for name, given in (values or {}).items()}

    def __contains__(self, name: str) -> bool:
        return bool(self._values.get(name))

    def has(self, name: str) -> bool:
        """Say whether a filter is there, though perhaps without a value."""
        return name in self._values

    def get(self, name: str) -> list[str]:
        """Return the values of a filter, none when it is absent."""
        return self._values.get(name, [])

    def with_value(self, name: str, value: str) -> Filters:
        """Return these filters with one more value."""
        return Filters({**self._values, name: [*self.get(name), value]})

    def refuse_unknown(self, known: Iterable[str]) -> None:
        """Check the names.

        Raises:
            InvalidInputError: one is not known.
        """
        for name in sorted(set(self._values) - set(known)):
            raise InvalidInputError(f"invalid filter '{name}'")

    def is_true(self, name: str, *, default: bool = False) -> bool:
        """Read a filter that is yes or no; absent means `default`.

        Raises:
            InvalidInputError: a value is neither, or both are given.
        """
        chosen = self.choice(name)
        return default if chosen is None else chosen

    def choice(self, name: str) -> bool | None:
        """Read a filter that is yes or no; None when it is absent.

        Raises:
            InvalidInputError: a value is neither, or both are given.
        """
        if name not in self._values:
            return None
        values = set(self.get(name))
        is_true, is_false = bool(values & _TRUE), bool(values & _FALSE)
        if is_true == is_false:
            shown = f"={go_list(sorted(values))}" if values else ""
            raise InvalidInputError(f"invalid filter '{name}{shown}'")
        return is_true

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


def go_list(values: Iterable[str]) -> str:
    """Print strings as Go prints a list of them, which Docker's messages show: `[a b]`."""
    return f"[{' '.join(values)}]"


def _found(pattern: str, candidate: str) -> bool:
    try:
        return re.search(pattern, candidate) is not None
    except re.error:
        # As in Docker, a pattern that is none matches nothing.
        return False


def parse_filters(text: str) -> Filters:
    """Read the JSON of the parameter: a map to lists, or a map to maps of true.

    Raises:
        InvalidInputError: it is neither.
    """
    if not text:
        return Filters()
    try:
        decoded = untrusted_json.decode(
            text, type=dict[str, list[str] | dict[str, bool] | None] | None
        )
    except msgspec.MsgspecError as error:
        raise InvalidInputError("invalid filter") from error
    return Filters({name: given or () for name, given in (decoded or {}).items()})
