"""What all prunes have in common: one at a time, and filters on labels and age.

Spec: moby, daemon/prune.go and the prune files of its parts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

from naru.api.filters import Filters
from naru.errors import ConflictError, InvalidInputError
from naru.units import parse_time

# What prunes of everything but volumes and images take.
FILTERS = frozenset({"label", "label!", "until"})


class Pruning:
    """Lets one prune run at a time, of whatever kind."""

    def __init__(self) -> None:
        self._runs = False

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Prune within the block.

        Raises:
            ConflictError: somebody prunes already.
        """
        if self._runs:
            raise ConflictError("a prune operation is already running")
        self._runs = True
        try:
            yield
        finally:
            self._runs = False


def until_ns(filters: Filters, now_ns: int) -> int | None:
    """Return the moment of the `until` filter; what is younger stays. None without one.

    Raises:
        InvalidInputError: it is no time, or there are several.
    """
    if len(filters.get("until")) > 1:
        raise InvalidInputError("more than one until filter specified")
    return next(iter(until_moments(filters, now_ns)), None)


def until_moments(filters: Filters, now_ns: int) -> list[int]:
    """Return all moments of the `until` filter.

    Raises:
        InvalidInputError: one is no time.
    """
    found = []
    for text in filters.get("until"):
        try:
            found.append(parse_time(text, now_ns=now_ns))
        except InvalidInputError as error:
            raise InvalidInputError(
                f'failed to parse value as time or duration: "{text}"'
            ) from error
    return found


def has_pruned_labels(filters: Filters, labels: Mapping[str, str]) -> bool:
    """Say whether something with these labels may go."""
    return filters.matches_labels("label", labels) and not (
        "label!" in filters and filters.matches_labels("label!", labels)
    )
