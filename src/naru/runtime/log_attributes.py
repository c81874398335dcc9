"""What log drivers say of the container that a line comes from. Pure.

Spec: moby, daemon/logger: Info and its ExtraAttributes; daemon/logs, for `--details`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote_plus

from naru.errors import InvalidInputError

_ID_LENGTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSource:
    """The facts of a container that tags, attributes and drivers are made of."""

    container_id: str
    name: str
    image_id: str
    image_name: str
    argv: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    created: str = ""
    hostname: str = ""
    daemon_name: str = "docker"

    @property
    def short_id(self) -> str:
        return self.container_id[:_ID_LENGTH]

    @property
    def command(self) -> str:
        return " ".join(self.argv)


def _unchanged(name: str) -> str:
    return name


def extra_attributes(
    source: LogSource, options: Mapping[str, str], rename: Callable[[str], str] = _unchanged
) -> dict[str, str]:
    """Return the labels and variables that `labels`, `env` and their `-regex` ask for."""
    env = dict(entry.split("=", 1) for entry in source.env if "=" in entry)
    found: dict[str, str] = {}
    for option, known in (("labels", source.labels), ("env", env)):
        names = [name for name in options.get(option, "").split(",") if name in known]
        if pattern := options.get(f"{option}-regex"):
            matches = re.compile(pattern).search
            names += [name for name in known if matches(name)]
        found.update({rename(name): known[name] for name in names})
    return found


def check_patterns(options: Mapping[str, str]) -> None:
    """Refuse an expression that is none.

    Raises:
        InvalidInputError: naming it.
    """
    for option in ("labels-regex", "env-regex"):
        pattern = options.get(option, "")
        try:
            re.compile(pattern)
        except re.error as error:
            raise InvalidInputError(f"error parsing regexp: {error}: `{pattern}`") from error


def details_text(attributes: Mapping[str, str]) -> bytes:
    """Return what stands before a line when `--details` is asked for, sorted and escaped."""
    pairs = (f"{quote_plus(name)}={quote_plus(attributes[name])}" for name in sorted(attributes))
    return (",".join(pairs) + " ").encode()
