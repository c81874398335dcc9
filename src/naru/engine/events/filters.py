"""Which events a client wants to hear of. Pure.

Spec: Engine API 1.50, SystemEvents, filters; moby's events filter for what matches how: actors by
the beginning of their id or name, images to the letter, with and without their tag.
"""

from __future__ import annotations

from typing import Any

from naru.api.filters import Filters
from naru.errors import InvalidInputError
from naru.oci.reference import Reference

# These look at the id and the name of an event's actor, whatever it is.
_ACTORS = (
    *("config", "container", "daemon", "network", "node", "plugin", "secret", "service"),
    "volume",
)
_FILTERS = frozenset({*_ACTORS, "event", "image", "label", "scope", "type"})
# Actions with details behind a colon; who asks for one of them by name means all its details.
_DETAILED = frozenset({"exec_create", "exec_start", "health_status"})


class EventFilter:
    """The filters of one request."""

    def __init__(self, filters: Filters) -> None:
        """Check the names.

        Raises:
            InvalidInputError: there is no such filter.
        """
        filters.refuse_unknown(_FILTERS)
        self._filters = filters
        self._actors = [name for name in _ACTORS if name in filters]

    def lets_through(self, event: dict[str, Any]) -> bool:
        """Say whether an event is wanted."""
        filters, actor = self._filters, event["Actor"]
        attributes = actor["Attributes"]
        return (
            self._has_action(event["Action"])
            and filters.matches("type", event["Type"])
            and filters.matches("scope", event["scope"])
            and all(
                filters.matches_prefix(name, actor["ID"])
                or filters.matches_prefix(name, attributes.get("name", ""))
                for name in self._actors
            )
            and ("image" not in filters or self._is_of_image(event))
            and filters.matches_labels("label", attributes)
        )

    def _has_action(self, action: str) -> bool:
        if _DETAILED & set(self._filters.get("event")):
            return self._filters.matches_prefix("event", action)
        return self._filters.matches("event", action)

    def _is_of_image(self, event: dict[str, Any]) -> bool:
        actor = event["Actor"]
        key = "name" if event["Type"] == "image" else "image"
        names = (actor["ID"], actor["Attributes"].get(key, ""))
        return any(self._filters.matches("image", n) for name in names for n in (name, _bare(name)))


def _bare(name: str) -> str:
    """Return an image's name without its tag or digest, as people write it."""
    try:
        reference = Reference.parse(name)
    except InvalidInputError:
        return name
    return reference.familiar_name
