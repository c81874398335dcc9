"""The body of recreate, our extension: what shall be different, and what shall go. Pure.

It is the body of create with only that which changes, and `Remove` beside it. A field that is
not there stays as it is; unlike in Docker's own requests, one that nobody knows is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import field

from naru import untrusted_json
from naru.api.create_request import CreateRequest
from naru.api.host_config import HostConfig
from naru.api.request_body import given
from naru.api.wire import Wire
from naru.errors import InvalidInputError

Json = dict[str, Any]


class Removals(Wire):
    """What goes, by name: variables, labels, container ports, destinations of mounts."""

    env: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    ports: list[str] = field(default_factory=list)
    mounts: list[str] = field(default_factory=list)


class _Body(CreateRequest):
    remove: Removals = field(default_factory=Removals)


@dataclass(frozen=True, slots=True)
class Changes:
    """`given` has the API's names and only what is to change; `removes` goes."""

    given: Json
    removes: Removals

    @property
    def host(self) -> Json:
        """Return what is to change of the host configuration."""
        found: Json = self.given.get("HostConfig", {})
        return found

    @property
    def image(self) -> str:
        """Return the image that is asked for, or nothing."""
        return str(self.given.get("Image", ""))


def read_changes(data: bytes) -> Changes:
    """Return what a body asks for.

    Raises:
        InvalidInputError: it is no JSON, does not fit, or names a field that there is not.
    """
    found = given(data, _Body)
    raw = untrusted_json.decode(data) or {}
    _refuse_unknown(raw, _Body, "")
    for key, value in raw.items():
        if key.lower() == "hostconfig" and isinstance(value, dict):
            _refuse_unknown(value, HostConfig, "HostConfig.")
        if key.lower() == "remove" and isinstance(value, dict):
            _refuse_unknown(value, Removals, "Remove.")
    removes = msgspec.convert(found.pop("Remove", {}), Removals)
    return Changes(found, removes)


def _refuse_unknown(raw: Json, kind: type[Wire], place: str) -> None:
    known = {known.encode_name.lower() for known in msgspec.structs.fields(kind)}
    for key in raw:
        if key.lower() not in known:
            raise InvalidInputError(f"unknown field {place}{key}")
